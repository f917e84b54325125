// Redoc loads a logo from the host of its vendor. This replaces images of other hosts by empty ones, which Redoc removes.
const image = HTMLImageElement.prototype;
image.setAttribute = function (name, value) {
  const isElsewhere = name === "src" && new URL(value, document.baseURI).host !== location.host;
  Element.prototype.setAttribute.call(this, name, isElsewhere ? "data:," : value);
};
Object.defineProperty(image, "src", { set(value) { this.setAttribute("src", value); } });
