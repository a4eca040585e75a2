// SPDX-License-Identifier: Apache-2.0
// Runs programs for arm64 by qemu-user.
import { mkdirSync } from 'node:fs'
import type { Installed } from './installed.ts'

/** Mounts a table of its own of the formats that the kernel executes, and executes the rest of the words. */
const register = `mount -t binfmt_misc binfmt_misc "$1" && cat /usr/lib/binfmt.d/qemu-aarch64.conf >"$1/register"
shift; exec "$@"`
const unshare = ['unshare', '--user', '--map-root-user', '--mount', '--pid', '--fork', '--mount-proc']

/** Runs a program for arm64. A machine that does not register the emulator itself gets a namespace that does (Linux 6.7). */
export async function callArm64(installed: Installed, args: readonly string[]): ReturnType<Installed['call']> {
  const table = `${installed.folder}/binfmt`
  mkdirSync(table, { recursive: true })
  const here = (await installed.call(args[0]!, ['--version'])).status === 0
  const around = here ? [] : [...unshare, 'sh', '-ec', register, 'sh', table]
  return installed.call('env', ['QEMU_LD_PREFIX=/usr/aarch64-linux-gnu', ...around, ...args])
}
