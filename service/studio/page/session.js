/** Who is calling. The installation decides how people sign in: each way is a module of its own, loaded where it is used. */
import { createClips } from "../client/clips.js";

const WAYS = {
  none: () => ({ token: () => undefined, signedIn: () => true, operator: () => true, owner: () => "" }),
  token: async () => (await import("./token.js")).tokenWay(clips),
  supabase: async (config, onSignedOut) =>
    config.operator_token
      ? (await import("./operator.js")).accountOrOperatorWay(clips, config, onSignedOut)
      : (await import("./account.js")).accountWay(config, onSignedOut),
};
let config = null;
let way = null;

export const clips = createClips({ token: (after) => way?.token(after) });

/**
 * Asks the service how people sign in here; gives its configuration, whether someone has, and whether that is who runs
 * the service. `onSignedOut` is called when a session ends by itself or in another tab.
 */
export async function openSession(onSignedOut) {
  config ??= await clips.config();
  way ??= await WAYS[config.sign_in](config, onSignedOut);
  return { config, signedIn: await way.signedIn(), operator: way.operator() };
}

/** Names who is signed in, so that what is kept on a device is theirs alone; null where that is not known. */
export const whoIsSignedIn = async () => way.owner();

export const signOut = () => way.signOut();

/** The form that signs in; `onSignedIn` is called once it has, `notice` says why it is shown. */
export const signInView = (onSignedIn, notice) => way.view(onSignedIn, notice);
