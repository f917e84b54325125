// Calls tools of @posthog/agent-toolkit, whose directory is the first argument.
// Reads lines of JSON, `[tool, arguments]`; answers each by a line with the outcome.
const { createInterface } = require("node:readline");
const { join } = require("node:path");

const { PostHogAgentToolkit } = require(join(process.argv[2], "dist", "tools.js"));

async function main() {
  const toolkit = new PostHogAgentToolkit({
    posthogApiToken: process.env.POSTHOG_PERSONAL_API_KEY,
    posthogApiBaseUrl: process.env.POSTHOG_API_BASE_URL,
  });
  const context = toolkit.getContext();
  const tools = new Map((await toolkit.getTools()).map((tool) => [tool.name, tool]));
  console.log(JSON.stringify([...tools.keys()]));
  for await (const line of createInterface({ input: process.stdin })) {
    const [name, given] = JSON.parse(line);
    const tool = tools.get(name);
    try {
      console.log(JSON.stringify(await tool.handler(context, tool.schema.parse(given))));
    } catch (error) {
      console.log(JSON.stringify({ refused: error.message }));
    }
  }
}

main();
