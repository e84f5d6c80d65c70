// Writes every message of ABCI as CometBFT's own code encodes it, one line of JSON each: empty, filled, and with the ends
// of what numbers can be. Fields are filled by reflection, so that none is forgotten.
//
//	go mod init vectors && go get github.com/cometbft/cometbft@v0.40.0 && go run filled.go >filled.jsonl
package main

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"reflect"
	"time"

	"github.com/cometbft/cometbft/abci/types"
	"github.com/cometbft/cometbft/proto/tendermint/crypto"
)

type filler struct {
	mode string
	next int64
}

func (f *filler) number() int64 {
	f.next++
	if f.mode == "ends" {
		if f.next%2 == 0 {
			return math.MinInt64
		}
		return math.MaxInt64
	}
	return f.next * 37
}

func (f *filler) bytes() []byte {
	f.next++
	return []byte(fmt.Sprintf("v%d\x00\xff", f.next))
}

func (f *filler) key() crypto.PublicKey {
	f.next++
	if f.next%2 == 0 {
		return crypto.PublicKey{Sum: &crypto.PublicKey_Secp256K1{Secp256K1: f.bytes()}}
	}
	return crypto.PublicKey{Sum: &crypto.PublicKey_Ed25519{Ed25519: f.bytes()}}
}

func (f *filler) scalar(v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(string(f.bytes()))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int64:
		v.SetInt(f.number())
	case reflect.Int32:
		if v.Type().Name() != "int32" { // an enumeration
			v.SetInt(1)
		} else {
			v.SetInt(int64(int32(f.number())))
		}
	case reflect.Uint64:
		v.SetUint(uint64(f.number()))
	case reflect.Uint32:
		v.SetUint(uint64(uint32(f.number())))
	default:
		panic(v.Type().String())
	}
}

func (f *filler) fill(v reflect.Value) {
	switch {
	case v.Type() == reflect.TypeOf(time.Time{}):
		v.Set(reflect.ValueOf(time.Unix(1763000000+f.next, 123456789).UTC()))
	case v.Type() == reflect.TypeOf(time.Duration(0)):
		v.SetInt(172800000000000 + 5)
	case v.Type() == reflect.TypeOf(crypto.PublicKey{}):
		v.Set(reflect.ValueOf(f.key()))
	case v.Type() == reflect.TypeOf([]byte(nil)):
		v.SetBytes(f.bytes())
	case v.Kind() == reflect.Struct:
		for i := 0; i < v.NumField(); i++ {
			f.fill(v.Field(i))
		}
	case v.Kind() == reflect.Ptr:
		v.Set(reflect.New(v.Type().Elem()))
		f.fill(v.Elem())
	case v.Kind() == reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := 0; i < 2; i++ {
			f.fill(v.Index(i))
		}
	default:
		f.scalar(v)
	}
}

type message interface{ Marshal() ([]byte, error) }

// each calls the wrappers of a oneof: a struct with one pointer to the content.
func each(dir string, wrappers []interface{}, outer func(reflect.Value) message) {
	out := json.NewEncoder(os.Stdout)
	for _, wrapper := range wrappers {
		for _, mode := range []string{"empty", "filled", "ends"} {
			w := reflect.New(reflect.TypeOf(wrapper).Elem())
			content := w.Elem().Field(0)
			content.Set(reflect.New(content.Type().Elem()))
			if mode != "empty" {
				f := &filler{mode: mode}
				f.fill(content.Elem())
			}
			bz, err := outer(w).Marshal()
			if err != nil {
				panic(err)
			}
			if err := out.Encode(map[string]string{"dir": dir, "hex": hex.EncodeToString(bz), "mode": mode,
				"name": w.Elem().Type().Field(0).Name}); err != nil {
				panic(err)
			}
		}
	}
}

func main() {
	each("req", (*types.Request)(nil).XXX_OneofWrappers(), func(w reflect.Value) message {
		r := &types.Request{}
		reflect.ValueOf(r).Elem().FieldByName("Value").Set(w)
		return r
	})
	each("resp", (*types.Response)(nil).XXX_OneofWrappers(), func(w reflect.Value) message {
		r := &types.Response{}
		reflect.ValueOf(r).Elem().FieldByName("Value").Set(w)
		return r
	})
}
