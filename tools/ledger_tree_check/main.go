// Checks what the ledger's state tree says, by libraries of others: roots by celestiaorg/smt, a sparse Merkle tree with the hashes of
// ICS-23's SmtSpec, proofs by cosmos/ics23. One JSON object a line comes in, one verdict a line goes out.
package main

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"

	"github.com/celestiaorg/smt"
	ics23 "github.com/cosmos/ics23/go"
)

type hexBytes []byte

func (h *hexBytes) UnmarshalJSON(text []byte) error {
	var s string
	if err := json.Unmarshal(text, &s); err != nil {
		return err
	}
	bytes, err := hex.DecodeString(s)
	*h = bytes
	return err
}

type question struct {
	// A proof: of the value, or of absence where there is none.
	Root  hexBytes  `json:"root"`
	Key   hexBytes  `json:"key"`
	Value *hexBytes `json:"value"`
	Proof hexBytes  `json:"proof"`
	// Or what the tree's root is after each step: pairs, an empty value removes.
	Steps [][][2]hexBytes `json:"steps"`
}

func verify(q *question) bool {
	var proof ics23.CommitmentProof
	if err := proof.Unmarshal(q.Proof); err != nil {
		return false
	}
	if q.Value != nil {
		return ics23.VerifyMembership(ics23.SmtSpec, []byte(q.Root), &proof, q.Key, *q.Value)
	}
	return ics23.VerifyNonMembership(ics23.SmtSpec, []byte(q.Root), &proof, q.Key)
}

func roots(q *question) ([]string, error) {
	tree := smt.NewSparseMerkleTree(smt.NewSimpleMap(), smt.NewSimpleMap(), sha256.New())
	out := []string{}
	for _, step := range q.Steps {
		for _, pair := range step {
			value := []byte(pair[1])
			if len(value) == 0 {
				if has, err := tree.Has(pair[0]); err != nil || !has {
					if err != nil {
						return nil, err
					}
					continue
				}
				if _, err := tree.Delete(pair[0]); err != nil {
					return nil, err
				}
				continue
			}
			if old, err := tree.Get(pair[0]); err == nil && bytes.Equal(old, value) {
				continue
			}
			if _, err := tree.Update(pair[0], value); err != nil {
				return nil, err
			}
		}
		out = append(out, hex.EncodeToString(tree.Root()))
	}
	return out, nil
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 64<<20)
	out := bufio.NewWriter(os.Stdout)
	for lines.Scan() {
		var q question
		if err := json.Unmarshal(lines.Bytes(), &q); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		if q.Steps == nil {
			fmt.Fprintln(out, verify(&q))
			continue
		}
		list, err := roots(&q)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		text, _ := json.Marshal(list)
		fmt.Fprintln(out, string(text))
	}
	if out.Flush() != nil || lines.Err() != nil {
		os.Exit(1)
	}
}
