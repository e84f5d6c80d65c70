package main

import (
	"context"
	"errors"
	"time"

	dbm "github.com/cometbft/cometbft-db"
	cmtmath "github.com/cometbft/cometbft/libs/math"
	"github.com/cometbft/cometbft/light"
	"github.com/cometbft/cometbft/light/provider"
	"github.com/cometbft/cometbft/light/provider/mock"
	dbs "github.com/cometbft/cometbft/light/store/db"
	"github.com/cometbft/cometbft/types"
)

// The cases that tendermint-rs keeps in light-client/tests/support/bisection: the same sets, times and absent votes by height, with
// keys of ours and in the encoding of v0.38 (theirs are of Tendermint 0.33), and what CometBFT's own light client says about them.

var start = time.Date(2019, 11, 2, 15, 4, 0, 0, time.UTC)

type chain struct {
	blocks map[int64]*types.LightBlock
	last   types.BlockID
}

func pair(a, b int) *types.ValidatorSet {
	return types.NewValidatorSet([]*types.Validator{validator(a, 50), validator(b, 50)})
}

func (c *chain) add(height int64, set, next *types.ValidatorSet, flags []types.BlockIDFlag, data byte) {
	at := start.Add(time.Duration(height-1) * 10 * time.Second)
	if height > 3 {
		at = start.Add(20*time.Second + time.Duration(height-3)*5*time.Second)
	}
	h := headerOf(height, at, set, next, []byte("app_hash"))
	h.LastBlockID, h.LastCommitHash, h.LastResultsHash, h.EvidenceHash = c.last, nil, nil, nil
	h.DataHash = make([]byte, 32)
	h.DataHash[0] = data
	h.Version.App = 0
	b := lightBlock(h, set, 1, flags)
	c.blocks[height], c.last = b, b.Commit.BlockID
}

// change at 6 from validators 0, 1 to 2, 3; `fork` at 11 to 4, 5
func elevenBlocks(shared *chain, fork bool) *chain {
	c := &chain{blocks: map[int64]*types.LightBlock{}}
	for h := int64(1); h <= 11; h++ {
		if shared != nil && h < 10 {
			c.blocks[h], c.last = shared.blocks[h], shared.blocks[h].Commit.BlockID
			continue
		}
		set, next := pair(0, 1), pair(0, 1)
		if h > 5 {
			set = pair(2, 3)
		}
		if h >= 5 {
			next = pair(2, 3)
		}
		if fork && h == 11 {
			set = pair(4, 5)
		}
		if fork && h >= 10 {
			next = pair(4, 5)
		}
		c.add(h, set, next, allOf(2), 0)
	}
	return c
}

func everyHeight() *chain {
	c := &chain{blocks: map[int64]*types.LightBlock{}}
	for h := int64(1); h <= 11; h++ {
		one := types.NewValidatorSet([]*types.Validator{validator(int(h)-1, 50)})
		next := types.NewValidatorSet([]*types.Validator{validator(min(int(h), 10), 50)})
		c.add(h, one, next, allOf(1), 0)
	}
	return c
}

func fewCommits() *chain {
	set := randomSet(0, 4, 0)
	c := &chain{blocks: map[int64]*types.LightBlock{}}
	for h := int64(1); h <= 6; h++ {
		flags := allOf(4)
		if h == 6 {
			flags[0], flags[1], flags[3] = types.BlockIDFlagAbsent, types.BlockIDFlagAbsent, types.BlockIDFlagAbsent
		}
		c.add(h, set, set, flags, 0)
	}
	return c
}

// who signs differs in the last block, and what it is
func twoHeads(shared *chain, absent int, data byte) *chain {
	set, four := pair(0, 1), randomSet(0, 4, 0)
	c := &chain{blocks: map[int64]*types.LightBlock{}}
	for h := int64(1); h <= 4; h++ {
		if shared != nil {
			c.blocks[h], c.last = shared.blocks[h], shared.blocks[h].Commit.BlockID
			continue
		}
		next := set
		if h == 4 {
			next = four
		}
		c.add(h, set, next, allOf(2), 0)
	}
	flags := allOf(4)
	flags[absent] = types.BlockIDFlagAbsent
	c.add(5, four, four, flags, data)
	return c
}

func malicious(shared *chain) *chain {
	c := &chain{blocks: map[int64]*types.LightBlock{}}
	for h := int64(1); h <= 10; h++ {
		c.blocks[h], c.last = shared.blocks[h], shared.blocks[h].Commit.BlockID
	}
	c.add(11, pair(0, 1), pair(2, 3), allOf(2), 0)
	return c
}

func providerOf(c *chain) provider.Provider {
	headers, sets := map[int64]*types.SignedHeader{}, map[int64]*types.ValidatorSet{}
	for h, b := range c.blocks {
		headers[h], sets[h] = b.SignedHeader, b.ValidatorSet
	}
	return mock.New(chainID, headers, sets)
}

func verdict(primary *chain, witnesses []*chain, period time.Duration, target int64, now time.Time) string {
	var others []provider.Provider
	for _, w := range witnesses {
		others = append(others, providerOf(w))
	}
	client, err := light.NewClient(context.Background(), chainID,
		light.TrustOptions{Period: period, Height: 1, Hash: primary.blocks[1].Hash()}, providerOf(primary), others,
		dbs.New(dbm.NewMemDB(), chainID), light.SkippingVerification(cmtmath.Fraction{Numerator: 1, Denominator: 3}),
		light.MaxBlockLag(time.Millisecond))
	if err != nil {
		return "error"
	}
	_, err = client.VerifyLightBlockAtHeight(context.Background(), target, now)
	switch {
	case err == nil:
		return "ok"
	case errors.Is(err, light.ErrLightClientAttack):
		return "attack"
	default:
		return "error"
	}
}

func lightCases() []any {
	known, out := map[*types.LightBlock]bool{}, []any{}
	name := func(b *types.LightBlock) string { return text(b.Hash())[:12] + text(b.Commit.Hash())[:4] }
	one := func(title string, primary *chain, witnesses []*chain, period time.Duration, target int64) {
		blocks := object{}
		list := func(c *chain) []any {
			var heights []any
			for h := int64(1); h <= int64(len(c.blocks)); h++ {
				b := c.blocks[h]
				if !known[b] {
					known[b] = true
					blocks[name(b)] = lightBytes(b)
				}
				heights = append(heights, name(b))
			}
			return heights
		}
		now := start.Add(26 * time.Minute)
		shown := object{"name": title, "period_s": int64(period / time.Second), "target": target, "now": now.Unix(),
			"primary": list(primary), "verdict": verdict(primary, witnesses, period, target, now)}
		var others []any
		for _, w := range witnesses {
			others = append(others, list(w))
		}
		shown["witnesses"], shown["blocks"] = others, blocks
		out = append(out, shown)
	}
	good := elevenBlocks(nil, false)
	fork := elevenBlocks(good, true)
	worst, few, head := everyHeight(), fewCommits(), twoHeads(nil, 0, 0)
	one("happy path", good, []*chain{good}, 3*time.Hour, 11)
	one("worst case", worst, []*chain{worst}, 3*time.Hour, 11)
	one("header out of trusting period", good, []*chain{good}, 30*time.Second, 11)
	one("not enough commits", few, []*chain{few}, 3*time.Hour, 6)
	one("conflicting headers", head, []*chain{twoHeads(head, 1, 0)}, 3*time.Hour, 5)
	one("conflicting headers with other data", head, []*chain{twoHeads(head, 1, 1)}, 3*time.Hour, 5)
	one("conflicting valid commits from one of the witnesses", good, []*chain{fork, good}, 3*time.Hour, 11)
	one("conflicting valid commits from the only witness", good, []*chain{fork}, 3*time.Hour, 11)
	one("malicious validator set", malicious(good), []*chain{good}, 3*time.Hour, 11)
	return out
}
