// A client by fetch whose answers are checked by zod before a caller sees them.
export default {
  input: "schema.yml",
  output: "core6",
  plugins: ["@hey-api/client-fetch", "@hey-api/typescript", "zod", { name: "@hey-api/sdk", validator: true }],
};
