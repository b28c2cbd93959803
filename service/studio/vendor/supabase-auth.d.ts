/** What the page uses of the bundle. */
export interface AuthError extends Error {
  code?: string;
  details?: { code?: string };
}

export interface Session {
  access_token: string;
  expires_at?: number;
  user: { id: string };
}

interface Answer {
  data: { session: Session | null };
  error: AuthError | null;
}

export class AuthClient {
  constructor(options: {
    url: string;
    headers: Record<string, string>;
    storageKey: string;
    flowType: "pkce";
  });
  initialize(): Promise<{ error: AuthError | null }>;
  onAuthStateChange(callback: (event: string, session: Session | null) => void): void;
  getSession(): Promise<Answer>;
  refreshSession(): Promise<Answer>;
  signInWithPassword(credentials: { email: string; password: string }): Promise<Answer>;
  signInWithOtp(request: {
    email: string;
    options: { emailRedirectTo: string; shouldCreateUser: boolean };
  }): Promise<{ error: AuthError | null }>;
  signOut(options: { scope: "local" }): Promise<{ error: AuthError | null }>;
}
