// A separate file, since the Content-Security-Policy of the pages allows no inline scripts. The data is in the page.
const { url, settings } = document.querySelector("#swagger-ui").dataset;
SwaggerUIBundle({ url, dom_id: "#swagger-ui", ...JSON.parse(settings) });
