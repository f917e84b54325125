// A separate file, since the Content-Security-Policy of the pages allows no inline scripts. The data is in the page.
const { url, settings } = document.querySelector("#swagger-ui").dataset;
SwaggerUIBundle({ url, dom_id: "#swagger-ui", ...JSON.parse(settings) });
// Its dark look follows the system.
const dark = matchMedia("(prefers-color-scheme: dark)");
const paint = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
dark.addEventListener("change", paint);
paint();
