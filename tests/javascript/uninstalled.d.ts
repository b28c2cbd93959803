// The tests that run them install them, each in a folder of its own.
declare module "@runware/sdk-js";
declare module "@supabase/supabase-js";
