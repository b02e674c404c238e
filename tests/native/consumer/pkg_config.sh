#!/bin/sh
# SPDX-License-Identifier: MIT
# Builds the consumer with what pkg-config says of the package below LIBDIR, and runs it.
# usage: pkg_config.sh PKG_CONFIG CC LIBDIR SOURCE OUTPUT_DIR VERSION
set -eu

pkg_config=$1
cc=$2
libdir=$3
source=$4
output=$5
version=$6
PKG_CONFIG_PATH=$libdir/pkgconfig
export PKG_CONFIG_PATH

[ "$("$pkg_config" --modversion devmap)" = "$version" ]

# shellcheck disable=SC2046 # flags are words
"$cc" -std=c11 $("$pkg_config" --cflags devmap) "$source" -o "$output/pkg_config_shared" \
	$("$pkg_config" --libs devmap)
LD_LIBRARY_PATH=$libdir "$output/pkg_config_shared" "$version"

# shellcheck disable=SC2046 # flags are words
"$cc" -std=c11 -static $("$pkg_config" --cflags --static devmap) "$source" -o "$output/pkg_config_static" \
	$("$pkg_config" --libs --static devmap)
"$output/pkg_config_static" "$version"
