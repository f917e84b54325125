// A file of its own, since the pages' policy allows no script inside them. What differs stands in the page.
const { url, settings } = document.querySelector("#swagger-ui").dataset;
SwaggerUIBundle({ url, dom_id: "#swagger-ui", ...JSON.parse(settings) });
