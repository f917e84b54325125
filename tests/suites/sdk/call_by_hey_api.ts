// Calls the page's operations by the client of @hey-api/openapi-ts; prints each name and status.
import assert from "node:assert/strict";
import * as sdk from "./core6";
import { client } from "./core6/client.gen";
import { zError } from "./core6/zod.gen";

type Answer = { data?: unknown; error?: unknown; response?: Response };

const setting = (name: string): string => process.env[name] ?? assert.fail(`${name} is not set`);
const organization_id = setting("CORE6_ORGANIZATION");
const project_id = setting("CORE6_PROJECT");
client.setConfig({ baseUrl: setting("CORE6_URL"), auth: setting("POSTHOG_PERSONAL_API_KEY") });

// An answer of success that zod refuses is thrown as an error by the client itself.
async function sent<A extends Answer>(name: string, request: Promise<A>): Promise<A> {
  const answer = await request;
  assert(answer.response, String(answer.error));
  console.log(`${name} ${answer.response.status}`);
  return answer;
}

async function call<A extends Answer>(name: string, request: Promise<A>): Promise<NonNullable<A["data"]>> {
  const answer = await sent(name, request);
  assert.equal(answer.error, undefined);
  return answer.data ?? assert.fail(`${name} has no data`);
}

async function callProjectActions(): Promise<void> {
  const path = { organization_id, id: Number(project_id) };
  const before = await call("is_generating_demo_data_retrieve", sdk.isGeneratingDemoDataRetrieve({ path }));
  assert.equal(before.is_generating_demo_data, false);
  assert.equal(before.organization, organization_id);
  let project = await call("reset_token_partial_update", sdk.resetTokenPartialUpdate({ path }));
  assert.notEqual(project.api_token, before.api_token);
  const first = await call("rotate_secret_token_partial_update", sdk.rotateSecretTokenPartialUpdate({ path }));
  const second = await call("rotate_secret_token_partial_update", sdk.rotateSecretTokenPartialUpdate({ path }));
  assert.equal(second.secret_api_token_backup, first.secret_api_token);
  project = await call("delete_secret_token_backup_partial_update", sdk.deleteSecretTokenBackupPartialUpdate({ path }));
  assert.equal(project.secret_api_token_backup, null);
  project = await call(
    "generate_conversations_public_token_create",
    sdk.generateConversationsPublicTokenCreate({ path, body: { name: "Store" } }),
  );
  assert.equal(project.name, "Store");
  project = await call(
    "complete_product_onboarding_partial_update",
    sdk.completeProductOnboardingPartialUpdate({
      path,
      body: { timezone: "GMT+0", week_start_day: 1, product_type: "surveys" },
    }),
  );
  assert.deepEqual(project.product_intents.map((intent) => intent.product_type), ["surveys"]);
  assert.deepEqual([project.timezone, project.week_start_day], ["GMT+0", 1]);
}

async function callRoles(): Promise<void> {
  const roles = { organization_id };
  const role = await call("roles_create", sdk.rolesCreate({ path: roles, body: { name: "By hey-api" } }));
  assert(role.created_by?.email);
  const listed = await call("roles_list", sdk.rolesList({ path: roles, query: { limit: 1000 } }));
  assert(listed.results.some((each) => each.id === role.id));
  const path = { organization_id, id: role.id };
  assert.deepEqual(await call("roles_retrieve", sdk.rolesRetrieve({ path })), role);
  const renamed = await call("roles_partial_update", sdk.rolesPartialUpdate({ path, body: { name: "Renamed" } }));
  assert.equal(renamed.name, "Renamed");
  assert.equal((await sent("roles_destroy", sdk.rolesDestroy({ path }))).error, undefined);
  const error = zError.parse((await sent("roles_retrieve", sdk.rolesRetrieve({ path }))).error);
  assert.deepEqual([error.type, error.code, error.attr], ["invalid_request", "not_found", null]);
}

async function callAnnotations(): Promise<void> {
  const date_marker = "2026-03-01T12:00:00Z";
  const annotation = await call(
    "annotations_create",
    sdk.annotationsCreate({ path: { project_id }, body: { content: "Launched", date_marker, scope: "organization" } }),
  );
  assert.deepEqual([annotation.date_marker, annotation.scope], [date_marker, "organization"]);
  const query = { search: "Launched", limit: 1 };
  const listed = await call("annotations_list", sdk.annotationsList({ path: { project_id }, query }));
  assert.equal(listed.results[0]?.id, annotation.id);
  const path = { project_id, id: annotation.id };
  assert.deepEqual(await call("annotations_retrieve", sdk.annotationsRetrieve({ path })), annotation);
  const body = { content: null, deleted: true };
  const changed = await call("annotations_partial_update", sdk.annotationsPartialUpdate({ path, body }));
  assert.deepEqual([changed.content, changed.deleted], [null, true]);
  await sent("annotations_destroy", sdk.annotationsDestroy({ path }));
}

async function callCohorts(): Promise<void> {
  const path = { project_id };
  const value = { type: "person", key: "plan", value: ["pro"], operator: "exact" };
  const filters = { properties: { type: "OR", values: [{ type: "AND", values: [value] }] } };
  const cohort = await call("cohorts_create", sdk.cohortsCreate({ path, body: { name: "Payers", filters } }));
  assert.deepEqual([cohort.is_static, cohort.cohort_type, cohort.count], [false, "realtime", null]);
  const listed = await call("cohorts_list", sdk.cohortsList({ path }));
  assert(listed.results.some((each) => each.id === cohort.id));
}

async function main(): Promise<void> {
  await callProjectActions();
  await callRoles();
  await callAnnotations();
  await callCohorts();
}

void main();
