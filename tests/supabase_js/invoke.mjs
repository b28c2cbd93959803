// Calls functions as the web application does. Takes {url, key, sign_in, token, global, calls: [{name, body}]} on
// stdin, `global` being the source of that option of the client, or null. Prints for each call {data, error, status,
// answer}, the last two being those of a call that failed; an answer that is no JSON is null.
import { readFileSync } from "node:fs";
import { createClient, FunctionsHttpError } from "@supabase/supabase-js";

const { url, key, sign_in, token, global, calls } = JSON.parse(readFileSync(0, "utf8"));

const supabase = createClient(url, key, {
  auth: { persistSession: false, autoRefreshToken: false },
  // Node before 22 has no WebSocket, without which the client refuses to be made; functions open none.
  realtime: { transport: class {} },
  ...(global ? new Function(`return { ${global} }`)() : {}),
  ...(sign_in === "accessToken" ? { accessToken: async () => token } : {}),
});
if (sign_in === "setAuth") supabase.functions.setAuth(token);
const headers = sign_in === "header" ? { Authorization: `Bearer ${token}` } : undefined;

const results = [];
for (const { name, body } of calls) {
  const { data, error } = await supabase.functions.invoke(name, { body, headers });
  const http = error instanceof FunctionsHttpError;
  results.push({
    data,
    error: error?.name ?? null,
    status: http ? error.context.status : null,
    answer: http ? await error.context.json().catch(() => null) : null,
  });
}
console.log(JSON.stringify(results));
process.exit(0);
