/**
 * Who may come in through the proxy: its own list of roles with hashed passwords and names of certificates
 * (roles_file.ts, edit_roles.ts), the judgement (authenticator.ts) and the limit of failed logins (login_limiter.ts). How a
 * login goes on the wire is proxy's client_login.ts.
 *
 * May import: proxy (the port), errors, util.
 */
export { RoleAuthenticator } from './authenticator.ts';
export { putRole, removeRole } from './edit_roles.ts';
export type { RoleChange } from './edit_roles.ts';
export { hashPassword } from './password_hash.ts';
export { CERTIFICATE_IDENTITY, readRoles } from './roles_file.ts';
export type { RoleEntry } from './roles_file.ts';
