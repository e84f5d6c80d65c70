// Prints tests/vectors/cometbft/generated.json: what CometBFT v0.38.26 itself computes for cases that no recorded chain has. Keys,
// times and choices come from fixed seeds, so that every run prints the same. Run by tools/cometbft_vectors.py.
package main

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand"
	"time"

	abci "github.com/cometbft/cometbft/abci/types"
	"github.com/cometbft/cometbft/crypto/ed25519"
	"github.com/cometbft/cometbft/crypto/merkle"
	"github.com/cometbft/cometbft/evidence"
	cmtmath "github.com/cometbft/cometbft/libs/math"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	cmtversion "github.com/cometbft/cometbft/proto/tendermint/version"
	"github.com/cometbft/cometbft/state"
	"github.com/cometbft/cometbft/types"
)

const chainID = "caisson-vectors"

type object = map[string]any

var (
	random  = rand.New(rand.NewSource(38))
	genesis = time.Date(2026, 11, 22, 1, 2, 3, 456789012, time.UTC)
)

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func text(b []byte) string { return hex.EncodeToString(b) }

func key(i int) ed25519.PrivKey {
	return ed25519.GenPrivKeyFromSecret([]byte(fmt.Sprintf("caisson validator %d", i)))
}

func validator(i int, power int64) *types.Validator {
	return types.NewValidator(key(i).PubKey(), power)
}

func bytesOf(n int) []byte {
	b := make([]byte, n)
	random.Read(b)
	return b
}

type marshaler interface{ Marshal() ([]byte, error) }

func encoded(m marshaler) string {
	b, err := m.Marshal()
	must(err)
	return text(b)
}

// ---- validator sets ----

func stateOf(set *types.ValidatorSet) object {
	list := []any{}
	for _, v := range set.Validators {
		list = append(list, []any{text(v.PubKey.Bytes()), fmt.Sprint(v.VotingPower), fmt.Sprint(v.ProposerPriority)})
	}
	pb, err := set.ToProto()
	must(err)
	return object{"validators": list, "proposer": text(set.GetProposer().PubKey.Bytes()), "hash": text(set.Hash()), "encoded": encoded(pb)}
}

func power(style int) int64 {
	switch style {
	case 0:
		return 1
	case 1:
		return 1 + random.Int63n(10)
	case 2:
		return 1 + random.Int63n(1_000_000_000)
	default:
		return 1 + random.Int63n(types.MaxTotalVotingPower/16)
	}
}

func changes(style int) ([]any, []*types.Validator) {
	var shown []any
	var list []*types.Validator
	for range 1 + random.Intn(4) {
		v := validator(random.Intn(16), power(style))
		if random.Intn(3) == 0 {
			v.VotingPower = 0
		}
		if random.Intn(40) == 0 {
			v.VotingPower = types.MaxTotalVotingPower
		}
		list = append(list, v)
		shown = append(shown, []any{text(v.PubKey.Bytes()), fmt.Sprint(v.VotingPower)})
	}
	return shown, list
}

func sets() []any {
	var out []any
	for run := range 24 {
		style := run % 4
		var list []*types.Validator
		initial := []any{}
		for i := range 1 + random.Intn(12) {
			v := validator(i, power(style))
			list = append(list, v)
			initial = append(initial, []any{text(v.PubKey.Bytes()), fmt.Sprint(v.VotingPower)})
		}
		set := types.NewValidatorSet(list)
		steps := []any{}
		first := stateOf(set)
		for range 12 {
			step := object{}
			if random.Intn(2) == 0 {
				shown, list := changes(style)
				step["changes"] = shown
				step["error"] = set.UpdateWithChangeSet(list) != nil
			}
			if times := random.Intn(4); times > 0 {
				step["turns"] = times
				set.IncrementProposerPriority(int32(times))
			} else if step["error"] == false {
				step["turns"] = 1
				set.IncrementProposerPriority(1)
			}
			for k, v := range stateOf(set) {
				if k != "encoded" {
					step[k] = v
				}
			}
			steps = append(steps, step)
		}
		out = append(out, object{"initial": initial, "state": first, "steps": steps})
	}
	return out
}

// ---- votes and commits ----

func blockID(parts uint32) types.BlockID {
	return types.BlockID{Hash: bytesOf(32), PartSetHeader: types.PartSetHeader{Total: parts, Hash: bytesOf(32)}}
}

func signed(vote *types.Vote, k ed25519.PrivKey, extended bool) *types.Vote {
	pb := vote.ToProto()
	signature, err := k.Sign(types.VoteSignBytes(chainID, pb))
	must(err)
	vote.Signature = signature
	if extended && vote.Type == cmtproto.PrecommitType && !vote.BlockID.IsZero() {
		vote.ExtensionSignature, err = k.Sign(types.VoteExtensionSignBytes(chainID, vote.ToProto()))
		must(err)
	}
	return vote
}

func votes() []any {
	var out []any
	times := []time.Time{genesis, time.Unix(0, 0).UTC(), time.Unix(0, 1).UTC(), time.Unix(1, 0).UTC(), time.Unix(-1, 999999999).UTC(), {}}
	for i := range 12 {
		vote := &types.Vote{Type: cmtproto.PrevoteType, Height: 1 + random.Int63n(1<<40), Round: int32(random.Intn(3)),
			Timestamp: times[i%len(times)], ValidatorAddress: key(i).PubKey().Address(), ValidatorIndex: int32(i)}
		if i%2 == 0 {
			vote.Type = cmtproto.PrecommitType
		}
		if i%3 != 0 {
			vote.BlockID = blockID(uint32(1 + random.Intn(300)))
		}
		extended := i%4 == 2 && i%3 != 0
		if extended {
			vote.Extension = bytesOf(i * 40)
		}
		signed(vote, key(i), extended)
		pb := vote.ToProto()
		one := object{"encoded": encoded(pb), "sign_bytes": text(types.VoteSignBytes(chainID, pb)), "key": text(key(i).PubKey().Bytes())}
		if extended {
			one["extension_sign_bytes"] = text(types.VoteExtensionSignBytes(chainID, pb))
		}
		must(vote.ValidateBasic())
		out = append(out, one)
	}
	return out
}

func proposals() []any {
	var out []any
	for i := range 6 {
		p := types.NewProposal(1+random.Int63n(1<<33), int32(i), int32(i-1), blockID(uint32(1+i)))
		p.Timestamp = genesis.Add(time.Duration(i) * time.Nanosecond)
		signature, err := key(i).Sign(types.ProposalSignBytes(chainID, p.ToProto()))
		must(err)
		p.Signature = signature
		must(p.ValidateBasic())
		out = append(out, object{"encoded": encoded(p.ToProto()), "key": text(key(i).PubKey().Bytes()),
			"sign_bytes": text(types.ProposalSignBytes(chainID, p.ToProto()))})
	}
	return out
}

// keys of a set in its order
func keysOf(set *types.ValidatorSet) []ed25519.PrivKey {
	var out []ed25519.PrivKey
	for _, v := range set.Validators {
		for i := range 64 {
			if v.PubKey.Equals(key(i).PubKey()) {
				out = append(out, key(i))
			}
		}
	}
	return out
}

func commitOf(set *types.ValidatorSet, id types.BlockID, height int64, round int32, flags []types.BlockIDFlag, extended bool) *types.ExtendedCommit {
	c := &types.ExtendedCommit{Height: height, Round: round, BlockID: id}
	for i, k := range keysOf(set) {
		if flags[i] == types.BlockIDFlagAbsent {
			c.ExtendedSignatures = append(c.ExtendedSignatures, types.NewExtendedCommitSigAbsent())
			continue
		}
		vote := &types.Vote{Type: cmtproto.PrecommitType, Height: height, Round: round, ValidatorAddress: k.PubKey().Address(),
			ValidatorIndex: int32(i), Timestamp: genesis.Add(time.Duration(random.Intn(5)) * time.Second)}
		if flags[i] == types.BlockIDFlagCommit {
			vote.BlockID = id
			if extended {
				vote.Extension = bytesOf(random.Intn(50))
			}
		}
		c.ExtendedSignatures = append(c.ExtendedSignatures, signed(vote, k, extended).ExtendedCommitSig())
	}
	return c
}

func flagsOf(n int) []types.BlockIDFlag {
	flags := make([]types.BlockIDFlag, n)
	for i := range flags {
		flags[i] = types.BlockIDFlagCommit
		switch random.Intn(7) {
		case 0:
			flags[i] = types.BlockIDFlagAbsent
		case 1:
			flags[i] = types.BlockIDFlagNil
		}
	}
	return flags
}

func randomSet(first, count, style int) *types.ValidatorSet {
	var list []*types.Validator
	for i := range count {
		list = append(list, validator(first+i, power(style)))
	}
	return types.NewValidatorSet(list)
}

func setBytes(set *types.ValidatorSet) string {
	pb, err := set.ToProto()
	must(err)
	return encoded(pb)
}

func commits() []any {
	var out []any
	for i := range 48 {
		set := randomSet(0, 1+random.Intn(9), i%4)
		other := randomSet(random.Intn(6), 1+random.Intn(9), i%4)
		id, height := blockID(3), 1+random.Int63n(1000)
		extended := commitOf(set, id, height, int32(random.Intn(2)), flagsOf(set.Size()), i%2 == 0)
		commit := extended.ToCommit()
		if i%5 == 4 { // one signature is spoilt
			at := random.Intn(set.Size())
			if len(commit.Signatures[at].Signature) > 0 {
				signature := append([]byte{}, commit.Signatures[at].Signature...)
				signature[random.Intn(32)] ^= 1
				commit.Signatures[at].Signature = signature
				extended.ExtendedSignatures[at].Signature = signature
			}
		}
		third := cmtmath.Fraction{Numerator: 1, Denominator: 3}
		whole := cmtmath.Fraction{Numerator: 2, Denominator: 3}
		one := object{"commit": encoded(commit.ToProto()), "hash": text(commit.Hash()), "set": setBytes(set), "other": setBytes(other),
			"full":       set.VerifyCommit(chainID, id, height, commit) == nil,
			"light":      set.VerifyCommitLight(chainID, id, height, commit) == nil,
			"light_all":  set.VerifyCommitLightAllSignatures(chainID, id, height, commit) == nil,
			"third":      other.VerifyCommitLightTrusting(chainID, commit, third) == nil,
			"third_all":  other.VerifyCommitLightTrustingAllSignatures(chainID, commit, third) == nil,
			"two_thirds": other.VerifyCommitLightTrusting(chainID, commit, whole) == nil}
		if i%2 == 0 {
			one["extended"] = encoded(extended.ToProto())
			one["extended_ok"] = set.VerifyCommitExtended(chainID, id, height, extended) == nil
		}
		if median, err := state.MedianTime(commit, set); err == nil && !median.IsZero() {
			one["median"] = []any{fmt.Sprint(median.Unix()), median.Nanosecond()}
		}
		out = append(out, one)
	}
	return out
}

// ---- trees ----

func trees() []any {
	var out []any
	for n := range 18 {
		var items [][]byte
		leaves, proofs := []any{}, []any{}
		for range n {
			item := bytesOf(random.Intn(40))
			items = append(items, item)
			leaves = append(leaves, text(item))
		}
		root, all := merkle.ProofsFromByteSlices(items)
		for _, p := range all {
			proofs = append(proofs, encoded(p.ToProto()))
		}
		out = append(out, object{"leaves": leaves, "root": text(root), "proofs": proofs})
	}
	return out
}

func results() []any {
	var out []any
	for n := range 6 {
		list := []any{}
		var responses []*abci.ExecTxResult
		for range n {
			r := &abci.ExecTxResult{Code: uint32(random.Intn(3)), Data: bytesOf(random.Intn(3) * 9), Log: "not hashed", Codespace: "nor this",
				GasWanted: random.Int63n(3) - 1, GasUsed: random.Int63n(1000)}
			responses = append(responses, r)
			list = append(list, []any{r.Code, text(r.Data), r.GasWanted, r.GasUsed})
		}
		out = append(out, object{"results": list, "hash": text(types.NewResults(responses).Hash())})
	}
	return out
}

// ---- parameters ----

func params() []any {
	var out []any
	for i := range 4 {
		p := types.DefaultConsensusParams()
		if i > 0 {
			p.Block.MaxBytes, p.Block.MaxGas = 1+random.Int63n(1<<20), int64(i)*1000-1001
			p.Evidence.MaxAgeDuration, p.Evidence.MaxBytes = time.Duration(1+random.Int63n(1<<50)), 0
			p.Validator.PubKeyTypes = []string{"secp256k1", "ed25519"}
			p.Version.App = uint64(i)
			p.ABCI.VoteExtensionsEnableHeight = int64(i)
		}
		must(p.ValidateBasic())
		pb := p.ToProto()
		out = append(out, object{"encoded": encoded(&pb), "hash": text(p.Hash())})
	}
	return out
}

// parts that are there or not, and heights of vote extensions around the block's
func updates() []any {
	var out []any
	for i := range 40 {
		p := types.DefaultConsensusParams()
		p.ABCI.VoteExtensionsEnableHeight = []int64{0, 5, 10, 15}[i%4]
		before := p.ToProto()
		u := &cmtproto.ConsensusParams{}
		if random.Intn(2) == 0 {
			u.Block = &cmtproto.BlockParams{MaxBytes: random.Int63n(4000) - 1, MaxGas: random.Int63n(4) - 2}
		}
		if random.Intn(3) == 0 {
			u.Evidence = &cmtproto.EvidenceParams{MaxAgeNumBlocks: random.Int63n(4), MaxAgeDuration: time.Duration(random.Int63n(3)), MaxBytes: 0}
		}
		if random.Intn(3) == 0 {
			u.Validator = &cmtproto.ValidatorParams{PubKeyTypes: []string{"ed25519", "secp256k1"}[random.Intn(2):]}
		}
		if random.Intn(3) == 0 {
			u.Version = &cmtproto.VersionParams{App: uint64(random.Intn(3))}
		}
		if random.Intn(4) > 0 {
			u.Abci = &cmtproto.ABCIParams{VoteExtensionsEnableHeight: []int64{0, 5, 10, 11, 15, -1}[random.Intn(6)]}
		}
		after := p.Update(u)
		ok := after.ValidateBasic() == nil && p.ValidateUpdate(u, 10) == nil
		pb := after.ToProto()
		one := object{"before": encoded(&before), "update": encoded(u), "height": 10, "ok": ok}
		if ok {
			one["after"] = encoded(&pb)
		}
		out = append(out, one)
	}
	return out
}

// ---- light blocks, evidence, blocks ----

func headerOf(height int64, at time.Time, set, next *types.ValidatorSet, app []byte) *types.Header {
	last := types.BlockID{}
	if height > 1 {
		last = blockID(1)
	}
	return &types.Header{Version: cmtversion.Consensus{Block: 11, App: uint64(height % 2)}, ChainID: chainID, Height: height, Time: at,
		LastBlockID: last, LastCommitHash: bytesOf(32), DataHash: bytesOf(32), ValidatorsHash: set.Hash(), NextValidatorsHash: next.Hash(),
		ConsensusHash: types.DefaultConsensusParams().Hash(), AppHash: app, LastResultsHash: bytesOf(32), EvidenceHash: bytesOf(32),
		ProposerAddress: set.GetProposer().Address}
}

func allOf(n int) []types.BlockIDFlag {
	flags := make([]types.BlockIDFlag, n)
	for i := range flags {
		flags[i] = types.BlockIDFlagCommit
	}
	return flags
}

func lightBlock(h *types.Header, set *types.ValidatorSet, round int32, flags []types.BlockIDFlag) *types.LightBlock {
	id := types.BlockID{Hash: h.Hash(), PartSetHeader: types.PartSetHeader{Total: 1, Hash: bytesOf(32)}}
	commit := commitOf(set, id, h.Height, round, flags, false).ToCommit()
	return &types.LightBlock{SignedHeader: &types.SignedHeader{Header: h, Commit: commit}, ValidatorSet: set}
}

func lightBytes(b *types.LightBlock) string {
	pb, err := b.ToProto()
	must(err)
	return encoded(pb)
}

func attackCase(name string, conflicting, trusted, common *types.LightBlock, commonHeight int64, change func(*types.LightClientAttackEvidence)) object {
	ev := &types.LightClientAttackEvidence{ConflictingBlock: conflicting, CommonHeight: commonHeight}
	from := trusted
	if commonHeight == common.Height {
		from = common
	}
	ev.Timestamp, ev.TotalVotingPower = from.Time, from.ValidatorSet.TotalVotingPower()
	ev.ByzantineValidators = ev.GetByzantineValidators(common.ValidatorSet, trusted.SignedHeader)
	if change != nil {
		change(ev)
	}
	pb, err := types.EvidenceToProto(ev)
	must(err)
	err = ev.ValidateBasic()
	if err == nil {
		err = evidence.VerifyLightClientAttack(ev, from.SignedHeader, trusted.SignedHeader, from.ValidatorSet, genesis, time.Hour)
	}
	return object{"name": name, "encoded": encoded(pb), "body": text(ev.Bytes()), "hash": text(ev.Hash()), "root": text(types.EvidenceList{ev}.Hash()),
		"common": lightBytes(from), "trusted": lightBytes(trusted), "guilty": len(ev.ByzantineValidators), "ok": err == nil,
		"makes": change == nil, "true_common": lightBytes(common)}
}

func attacks() []any {
	set := randomSet(0, 7, 1)
	app := bytesOf(32)
	common := lightBlock(headerOf(5, genesis, set, set, app), set, 0, allOf(7))
	header := headerOf(9, genesis.Add(9*time.Second), set, set, app)
	trusted := lightBlock(header, set, 1, allOf(7))
	forged := *header
	forged.AppHash = bytesOf(32)
	lunaticSet := randomSet(3, 6, 1)
	lunatic := lightBlock(headerOf(9, header.Time, lunaticSet, lunaticSet, bytesOf(32)), lunaticSet, 0, allOf(6))
	wrongApp := lightBlock(&forged, set, 0, allOf(7))
	twin := *header
	twin.DataHash = bytesOf(32)
	equivocation := lightBlock(&twin, set, 1, allOf(7))
	amnesia := lightBlock(&twin, set, 2, allOf(7))
	forward := *header
	forward.Height, forward.AppHash, forward.Time = 20, bytesOf(32), header.Time
	ahead := lightBlock(&forward, set, 0, allOf(7))
	late := forward
	late.Time = header.Time.Add(time.Second)
	tooLate := lightBlock(&late, set, 0, allOf(7))
	return []any{
		attackCase("lunatic", lunatic, trusted, common, 5, nil),
		attackCase("lunatic by application hash", wrongApp, trusted, common, 5, nil),
		attackCase("equivocation", equivocation, trusted, common, 9, nil),
		attackCase("amnesia", amnesia, trusted, common, 9, nil),
		attackCase("forward lunatic", ahead, trusted, common, 5, nil),
		attackCase("a block that may still come", tooLate, trusted, common, 5, func(*types.LightClientAttackEvidence) {}),
		attackCase("the chain's own block", trusted, trusted, common, 9, func(*types.LightClientAttackEvidence) {}),
		attackCase("one guilty too few", equivocation, trusted, common, 9, func(e *types.LightClientAttackEvidence) {
			e.ByzantineValidators = e.ByzantineValidators[1:]
		}),
		attackCase("in another order", equivocation, trusted, common, 9, func(e *types.LightClientAttackEvidence) {
			list := append([]*types.Validator{}, e.ByzantineValidators...)
			list[0], list[1] = list[1], list[0]
			e.ByzantineValidators = list
		}),
		attackCase("an honest one named", amnesia, trusted, common, 9, func(e *types.LightClientAttackEvidence) {
			e.ByzantineValidators = []*types.Validator{set.Validators[0]}
		}),
		attackCase("another total power", equivocation, trusted, common, 9, func(e *types.LightClientAttackEvidence) { e.TotalVotingPower++ }),
	}
}

func duplicates() []any {
	set := randomSet(0, 4, 1)
	make := func(name string, change func(a, b *types.Vote), after func(*types.DuplicateVoteEvidence)) object {
		v := set.Validators[2]
		votes := []*types.Vote{}
		for range 2 {
			votes = append(votes, &types.Vote{Type: cmtproto.PrevoteType, Height: 9, Round: 1, BlockID: blockID(1), Timestamp: genesis,
				ValidatorAddress: v.Address, ValidatorIndex: 2})
		}
		change(votes[0], votes[1])
		for _, vote := range votes {
			signed(vote, keysOf(set)[2], false)
		}
		ev, err := types.NewDuplicateVoteEvidence(votes[0], votes[1], genesis, set)
		must(err)
		after(ev)
		pb, err := types.EvidenceToProto(ev)
		must(err)
		err = ev.ValidateBasic()
		if err == nil {
			err = evidence.VerifyDuplicateVote(ev, chainID, set)
		}
		return object{"name": name, "encoded": encoded(pb), "hash": text(ev.Hash()), "root": text(types.EvidenceList{ev}.Hash()), "set": setBytes(set),
			"ok": err == nil}
	}
	none, same := func(a, b *types.Vote) {}, func(*types.DuplicateVoteEvidence) {}
	return []any{
		make("two blocks", none, same),
		make("a block and nil", func(a, b *types.Vote) { a.BlockID = types.BlockID{} }, same),
		make("one block", func(a, b *types.Vote) { b.BlockID = a.BlockID }, same),
		make("two rounds", func(a, b *types.Vote) { b.Round = 2 }, same),
		make("two heights", func(a, b *types.Vote) { b.Height = 10 }, same),
		make("two types", func(a, b *types.Vote) { b.Type = cmtproto.PrecommitType }, same),
		make("in the wrong order", none, func(e *types.DuplicateVoteEvidence) { e.VoteA, e.VoteB = e.VoteB, e.VoteA }),
		make("another power", none, func(e *types.DuplicateVoteEvidence) { e.ValidatorPower++ }),
		make("another total", none, func(e *types.DuplicateVoteEvidence) { e.TotalVotingPower++ }),
		make("a signature of another", none, func(e *types.DuplicateVoteEvidence) { signed(e.VoteB, key(50), false) }),
	}
}

func blocks() []any {
	var out []any
	set := randomSet(0, 4, 1)
	for i := range 3 {
		var txs []types.Tx
		for range i * 3 {
			txs = append(txs, bytesOf(12_000*(i/2)+i))
		}
		commit := commitOf(set, blockID(1), 6, 0, flagsOf(4), false).ToCommit()
		var list types.EvidenceList
		if i == 1 {
			a := &types.Vote{Type: cmtproto.PrevoteType, Height: 5, BlockID: blockID(1), Timestamp: genesis, ValidatorAddress: set.Validators[0].Address}
			b := *a
			b.BlockID = blockID(1)
			ev, err := types.NewDuplicateVoteEvidence(signed(a, keysOf(set)[0], false), signed(&b, keysOf(set)[0], false), genesis, set)
			must(err)
			list = types.EvidenceList{ev}
		}
		block := types.MakeBlock(7, txs, commit, list)
		block.Header.Populate(cmtversion.Consensus{Block: 11}, chainID, genesis, blockID(1), set.Hash(), set.Hash(), bytesOf(32), bytesOf(20),
			bytesOf(32), set.GetProposer().Address)
		parts, err := block.MakePartSet(types.BlockPartSizeBytes)
		must(err)
		pb, err := block.ToProto()
		must(err)
		must(block.ValidateBasic())
		one := object{"encoded": encoded(pb), "hash": text(block.Hash()), "total": parts.Total(), "parts_hash": text(parts.Hash())}
		if parts.Total() > 1 {
			last, err := parts.GetPart(int(parts.Total() - 1)).ToProto()
			must(err)
			one["last_part"] = encoded(last)
		}
		out = append(out, one)
	}
	return out
}

func main() {
	lists := []struct {
		name string
		make func() []any
	}{{"validator_sets", sets}, {"votes", votes}, {"proposals", proposals}, {"commits", commits}, {"trees", trees}, {"results", results},
		{"params", params}, {"attacks", attacks}, {"duplicate_votes", duplicates}, {"blocks", blocks}, {"light", lightCases}, {"params_updates", updates}}
	fmt.Printf("{\"cometbft\": \"v0.38.26\", \"chain_id\": %q", chainID)
	for _, list := range lists {
		fmt.Printf(",\n%q: [", list.name)
		for i, item := range list.make() {
			line, err := json.Marshal(item)
			must(err)
			if i > 0 {
				fmt.Print(",")
			}
			fmt.Printf("\n%s", line)
		}
		fmt.Print("]")
	}
	fmt.Println("}")
}
