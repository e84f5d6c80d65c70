"""Caisson for applications: send messages and tokens through a gateway, watch them, verify what the enclaves signed."""
from .accounts import account_text
from .client import Gateway, Update
from .contract import ContractKey, contract_key
from .envelope import Verified, VerifiedStatement, verify_envelope
from .errors import ApiError, BadReply, CaissonError, ConfigurationError, TimedOut, Unreachable, VerificationError, WebhookError
from .hashing import Kind, Status
from .webhooks import verify_webhook

__version__ = "0.1.0"
__all__ = ["ApiError", "BadReply", "CaissonError", "ConfigurationError", "ContractKey", "Gateway", "Kind", "Status", "TimedOut", "Unreachable", "Update",
           "VerificationError", "Verified", "VerifiedStatement", "WebhookError", "account_text", "contract_key", "verify_envelope", "verify_webhook"]
