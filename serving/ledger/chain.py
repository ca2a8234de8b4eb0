"""A consortium chain as a witness: the checkpoint's root stands in a contract that others run.

One contract is needed, `put(bytes32 origin, uint256 size, bytes32 root)` and `get(bytes32 origin,
uint256 size)`, which refuses a size not above the last (docs/ledger.md has it). It is called over
HTTP as WeBASE-Front does for FISCO BCOS; a sidecar in front of ChainMaker or AntChain that speaks
the same two requests serves as well. Its answers are not trusted: what was put is read back.
"""

from __future__ import annotations

import json
import urllib.request
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from serving.ledger.anchors import AnchorError
from serving.ledger.tree import ProofError

TIMEOUT_SECONDS = 20.0
MOST_BYTES = 64 * 1024
PATH = "/WeBASE-Front/trans/handle"
ABI = [
    {
        "name": "put",
        "type": "function",
        "constant": False,
        "inputs": [
            {"name": "origin", "type": "bytes32"},
            {"name": "size", "type": "uint256"},
            {"name": "root", "type": "bytes32"},
        ],
        "outputs": [],
    },
    {
        "name": "get",
        "type": "function",
        "constant": True,
        "inputs": [{"name": "origin", "type": "bytes32"}, {"name": "size", "type": "uint256"}],
        "outputs": [{"name": "root", "type": "bytes32"}],
    },
]


@dataclass(frozen=True)
class Chain:
    """One contract, behind one WeBASE-Front."""

    url: str  # of WeBASE-Front, such as http://127.0.0.1:5002
    contract: str  # its address on the chain
    user: str  # address of the account that WeBASE-Sign signs for
    group: int = 1
    kind: str = "chain"

    def publish(self, origin: str, size: int, root: bytes) -> bytes:
        """Put a checkpoint on the chain; return the transaction's receipt.

        Raises:
            AnchorError: the chain cannot be reached, has refused, or does not show it afterwards.
        """
        try:
            receipt = self._call("put", [_named(origin), size, _hex(root)])
            if not isinstance(receipt, dict) or receipt.get("status") not in ("0x0", 0, "0"):
                raise AnchorError(f"{self.url} must accept the checkpoint, however: {receipt}")
            evidence = json.dumps({"contract": self.contract, "receipt": receipt}).encode()
            self.verify(origin, size, root, evidence)
        except (OSError, ValueError, ProofError) as error:
            raise AnchorError(f"{self.url}: {error}") from error
        return evidence

    def verify(self, origin: str, size: int, root: bytes, evidence: bytes) -> str:
        """Ask the chain what it holds of a size, and compare.

        Raises:
            ProofError: it holds another root, or none, or the evidence names another contract.
        """
        try:
            named = json.loads(evidence)
            found = self._call("get", [_named(origin), size])
        except (OSError, ValueError) as error:
            raise ProofError(f"{self.url} must answer, however: {error}") from error
        if named.get("contract") != self.contract:
            raise ProofError(f"the evidence must be of {self.contract}")
        if not isinstance(found, list) or found[:1] != [_hex(root)]:
            raise ProofError(f"the chain must hold the root of size {size}, however: {found}")
        block = named.get("receipt", {}).get("blockNumber")
        return f"stands in contract {self.contract}, block {block}"

    def _call(self, function: str, arguments: list[Any]) -> Any:
        asked = {
            "user": self.user,
            "contractName": "Checkpoints",
            "contractAddress": self.contract,
            "funcName": function,
            "contractAbi": ABI,
            "funcParam": arguments,
            "groupId": self.group,
            "useCns": False,
        }
        body, kind = json.dumps(asked).encode(), {"Content-Type": "application/json"}
        request = urllib.request.Request(self.url.rstrip("/") + PATH, body, kind)
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as reply:
            return json.loads(reply.read(MOST_BYTES))


def _named(origin: str) -> str:
    return _hex(sha256(origin.encode()).digest())


def _hex(data: bytes) -> str:
    return "0x" + data.hex()
