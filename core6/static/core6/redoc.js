// Redoc asks its makers' host for a logo. Here, an image of another host is an empty one, which Redoc then takes away.
const image = HTMLImageElement.prototype;
image.setAttribute = function (name, value) {
  const isElsewhere = name === "src" && new URL(value, document.baseURI).host !== location.host;
  Element.prototype.setAttribute.call(this, name, isElsewhere ? "data:," : value);
};
Object.defineProperty(image, "src", { set(value) { this.setAttribute("src", value); } });
