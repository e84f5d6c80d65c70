/** Caisson for applications: send messages and tokens through a gateway, watch them, verify what the enclaves signed. */
export { accountText } from './accounts.js';
export type { Hex } from './bytes.js';
export { Gateway, type CreateOptions, type GatewayOptions, type Update, type WatchOptions } from './client.js';
export { verifyEnvelope, type Verified, type VerifiedStatement, type VerifyOptions } from './envelope.js';
export { ApiError, BadReply, CaissonError, ConfigurationError, TimedOut, Unreachable, VerificationError, WebhookError } from './errors.js';
export { Kind, Status, type MessageContent, type Statement } from './hashing.js';
export type { Uint } from './json.js';
export type * from './types.js';
export { verifyWebhook, type VerifyWebhookOptions } from './webhooks.js';
