#!/bin/sh
':' // SPDX-License-Identifier: Apache-2.0
':' /*
# `hutch` of the npm package, dist/hutch.cjs: executes the binary without Node from the package hutch-linux-x64 or hutch-linux-arm64, which npm
# installs for this platform. Without that package, executes hutch for Node. Starts no other program, except for an unusual link or before Linux 6.1.
# It is also JavaScript, in which all these lines are a comment: Yarn and Deno take every `bin` for a script of Node.
hutch_self=$0
case $hutch_self in *'/'*) ;; *) hutch_self=./$hutch_self ;; esac
hutch_from=${hutch_self%/*}
# the package, if this file was called directly, through node_modules/.bin or through a global link
for hutch_package in "$hutch_from/.." "$hutch_from/../hutch" "$hutch_from/../lib/node_modules/hutch" ''; do
	[ "$hutch_package/dist/hutch.cjs" -ef "$hutch_self" ] && break
done 2>/dev/null
if [ -z "$hutch_package" ]; then
	hutch_file=$(readlink -f "$hutch_self")
	hutch_package=${hutch_file%/dist/hutch.cjs}
fi
# called through a link with the name of a drop-in
case ${hutch_self##*'/'} in
cgcreate | cgset | cgget | cgexec | cgclassify | cgdelete | lscgroup | lssubsys | cgsnapshot | cgconfigparser | cgxget | cgxset | unshare | nsenter | lsns | bwrap | hutch-oci)
	set -- "${hutch_self##*'/'}" "$@"
	;;
esac
{ read -r hutch_machine </proc/sys/kernel/arch; } 2>/dev/null || hutch_machine=$(uname -m)
case $hutch_machine in
x86_64) hutch_platform=linux-x64 ;;
aarch64) hutch_platform=linux-arm64 ;;
*) hutch_platform=unknown ;;
esac
hutch_binary=$hutch_package/node_modules/hutch-$hutch_platform/hutch
[ -x "$hutch_binary" ] && exec "$hutch_binary" "$@"
# beside a package in another directory, such as /tmp, may be another user's file
hutch_binary=$hutch_package/../hutch-$hutch_platform/hutch
[ "$hutch_package/../../node_modules" -ef "$hutch_package/.." ] && [ -x "$hutch_binary" ] && exec "$hutch_binary" "$@"
exec node "$hutch_package/dist/cli.cjs" "$@"
*/
require('./cli.cjs')
