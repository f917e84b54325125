// Redoc reads its theme once, from this attribute, when its script runs: light or dark as the system is then.
const isDark = matchMedia("(prefers-color-scheme: dark)").matches;
const theme = { colors: { primary: { main: isDark ? "#60a5fa" : "#1d4ed8" } } };
if (isDark) {
  Object.assign(theme.colors, {
    text: { primary: "#d1d5db", secondary: "#9ca3af" },
    border: { dark: "#374151", light: "#1f2937" },
    gray: { 50: "#1f2937", 100: "#374151" },
    responses: {
      success: { color: "#4ade80", backgroundColor: "#052e16" },
      error: { color: "#f87171", backgroundColor: "#450a0a" },
    },
  });
  theme.sidebar = { backgroundColor: "#0f172a", textColor: "#d1d5db" };
  theme.rightPanel = { backgroundColor: "#0b1220" };
  theme.schema = { nestedBackground: "#1f2937", linesColor: "#4b5563", typeNameColor: "#9ca3af", typeTitleColor: "#9ca3af", requireLabelColor: "#f87171" };
  theme.typography = { code: { color: "#fca5a5", backgroundColor: "#1f2937" } };
}
document.querySelector("redoc").setAttribute("theme", JSON.stringify(theme));
