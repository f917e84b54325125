// The boxes that search for an object have the label of their field: the library leaves an empty one unnamed.
window.addEventListener("load", () => {
  for (const box of document.querySelectorAll(".select2-selection")) {
    const select = box.closest(".select2")?.previousElementSibling;
    const label = select?.labels?.[0]?.textContent.trim().replace(/\*$/, "");
    for (const part of [box, ...box.querySelectorAll("[role=textbox]")]) part.setAttribute("aria-label", label || "Choose");
  }
});
