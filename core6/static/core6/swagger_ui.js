// A separate file, since the Content-Security-Policy of the pages allows no inline scripts. The data is in the page.
const { url, settings, operations } = document.querySelector("#swagger-ui").dataset;
const shown = new Set(JSON.parse(operations));
const isWhole = new URLSearchParams(location.search).has("all");
const CHOICES = { type: ["static", "dynamic"], hide_behavioral_cohorts: ["true"] };

// Leave out what the page does not have, unless the address ends in `?all`.
function selected(paths) {
  const found = {};
  for (const [path, methods] of Object.entries(paths)) {
    const kept = Object.entries(methods).filter(([, operation]) => isWhole || shown.has(operation.operationId));
    if (kept.length) found[path] = Object.fromEntries(kept);
  }
  return found;
}

// Fill in `@current`, which is no number and no UUID, and offer the values of parameters that have few.
function prepared(parameter) {
  if (parameter.in === "path" && (parameter.name === "project_id" || parameter.description?.includes("`@current`"))) {
    return { ...parameter, schema: { type: "string", default: "@current" } };
  }
  const choices = parameter.in === "query" && CHOICES[parameter.name];
  return choices ? { ...parameter, schema: { type: "string", enum: choices } } : parameter;
}

const json = new URL(url, location.href);
json.searchParams.set("format", "json");
fetch(json)
  .then((response) => response.json())
  .then((spec) => {
    spec.paths = selected(spec.paths);
    for (const operation of Object.values(spec.paths).flatMap(Object.values)) {
      operation.tags = operation.tags.slice(-1); // each operation once
      if (operation.parameters) operation.parameters = operation.parameters.map(prepared);
    }
    SwaggerUIBundle({ spec, dom_id: "#swagger-ui", ...JSON.parse(settings) });
  });

// Some of its controls have no name.
const NAMES = {
  "#servers": "Server",
  ".examples-select-element": "Example",
  ".close-modal": "Close",
  ".body-param__text": "Request body",
};
new MutationObserver(() => {
  for (const [selector, name] of Object.entries(NAMES)) {
    for (const control of document.querySelectorAll(`${selector}:not([aria-label])`)) control.ariaLabel = name;
  }
}).observe(document.querySelector("#swagger-ui"), { childList: true, subtree: true });

// Its dark look follows the system.
const dark = matchMedia("(prefers-color-scheme: dark)");
const paint = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
dark.addEventListener("change", paint);
paint();
