// The boxes that search for an object have the label of their field: the library leaves an empty one unnamed.
window.addEventListener("load", () => {
  for (const box of document.querySelectorAll(".select2-selection")) {
    const select = box.closest(".select2")?.previousElementSibling;
    const label = select?.labels?.[0]?.textContent.trim().replace(/\*$/, "");
    for (const part of [box, ...box.querySelectorAll("[role=textbox]")]) part.setAttribute("aria-label", label || "Choose");
  }
});

// The theme moves tabs into a menu if it measures them before the fonts are there. It measures again at each resize.
window.addEventListener("load", async () => {
  await document.fonts.ready;
  const hidden = document.querySelector("#tabs-dropdown")?.childElementCount ?? 0;
  for (let tab = 0; tab < hidden; tab++) window.dispatchEvent(new Event("resize"));
});

// The theme's labels of charts are too faint on a light page, and its axes count in fractions.
function refineCharts() {
  const color = document.documentElement.classList.contains("dark") ? "#9ca3af" : "#4b5563";
  for (const canvas of document.querySelectorAll("canvas.chart")) {
    const chart = window.Chart?.getChart(canvas);
    if (!chart) continue;
    const { x, y } = chart.options.scales;
    x.ticks.color = y.ticks.color = color;
    if (!chart.data.datasets.some((each) => each.suffixYAxis)) y.ticks.precision = 0;
    chart.update();
  }
}
window.addEventListener("load", refineCharts);
new MutationObserver(refineCharts).observe(document.documentElement, { attributeFilter: ["class"] });
