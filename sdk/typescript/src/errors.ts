/** What can go wrong, one class for each thing that a caller would do about it. */

/** All of the below. */
export class CaissonError extends Error {
  override name = 'CaissonError';
}

/** The client cannot be made of what it was given: an address, an API key, or the environment that should name them. Nothing was sent. */
export class ConfigurationError extends CaissonError {
  override name = 'ConfigurationError';
}

/** The gateway refused: its problem (RFC 9457). `code` is stable, `retry` says whether the same request may succeed later. */
export class ApiError extends CaissonError {
  override name = 'ApiError';
  constructor(
    readonly status: number,
    readonly code: string,
    readonly title: string,
    readonly detail: string | null,
    readonly retry: boolean,
    /** How long to wait before, where the gateway said it. */
    readonly retryAfterS: number | null = null,
  ) {
    super(`${code} (${status}): ${detail ?? title}`);
  }
}

/** No answer: the gateway is not there, or the connection ended. Whether it took the request is not known. */
export class Unreachable extends CaissonError {
  override name = 'Unreachable';
}

/** Something answered that is no gateway, or not one of this version. */
export class BadReply extends CaissonError {
  override name = 'BadReply';
}

/** What was waited for did not come in time. It may still come. */
export class TimedOut extends CaissonError {
  override name = 'TimedOut';
}

/** The envelope does not prove what it says. */
export class VerificationError extends CaissonError {
  override name = 'VerificationError';
}

/** What was posted is not a webhook of ours, or not of now: answer 400 and do nothing. */
export class WebhookError extends CaissonError {
  override name = 'WebhookError';
}
