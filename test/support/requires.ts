// SPDX-License-Identifier: Apache-2.0
// What a test needs of its host. A test that cannot run here is skipped with the reason; an unknown need is an error, so a typo never skips.
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import type { TestContext } from 'vitest'
import { readHost } from '../../src/host/host.ts'
import { native } from '../../src/system/native.ts'
import { hutchHost } from './command.ts'

const needs = {
  'hutch for Node': () => hutchHost === 'node',
  v2: () => readHost().layout === 'v2',
  'v1 controllers': () => Object.keys(readHost().v1).length > 0,
  'a v2 tree': () => readHost().unified !== undefined,
  'a hybrid host with hugetlb in its v2 tree': () => {
    const { layout, unified } = readHost()
    return layout === 'hybrid' && readFileSync(`${unified!.mount}/cgroup.controllers`, 'utf8').includes('hugetlb')
  },
  systemd: () => existsSync('/run/systemd/system'),
  root: () => readHost().uid === 0,
  'not a VM': () => process.env.VM === undefined,
  'a VM': () => process.env.VM !== undefined,
  CAP_SYS_RESOURCE: () => {
    const [, effective] = /^CapEff:\s*(\w+)/m.exec(readFileSync('/proc/self/status', 'utf8'))!
    return (BigInt(`0x${effective}`) & (1n << 24n)) !== 0n
  },
  'process connector': () => {
    const error = native().watchProcesses(() => {})
    native().stopProcesses()
    return error === 0
  },
  'cgrulesengd(8)': () => existsSync('/usr/sbin/cgrulesengd'),
  busybox: () => existsSync('/bin/busybox'),
  'nsenter(1)': () => existsSync('/usr/bin/nsenter'),
  'unshare(1)': () => existsSync('/usr/bin/unshare'),
  'script(1)': () => existsSync('/usr/bin/script'),
  'lsns(8)': () => existsSync('/usr/bin/lsns'),
  'newuidmap(1)': () => existsSync('/usr/bin/newuidmap'),
  'pasta(1)': () => existsSync('/usr/bin/pasta'),
  'slirp4netns(1)': () => existsSync('/usr/bin/slirp4netns'),
  'ip(8)': () => ['/sbin/ip', '/usr/sbin/ip', '/bin/ip'].some(existsSync),
  'a tun device': () => {
    spawnSync('modprobe', ['tun'])
    return / tun$/m.test(readFileSync('/proc/misc', 'utf8'))
  },
  'iptables(8)': () => existsSync('/usr/sbin/iptables'),
  'CNI plugins': () => existsSync('/usr/lib/cni/bridge'),
  'dpkg(1)': () => existsSync('/usr/bin/dpkg-deb'),
  'runc(8)': () => existsSync('/usr/sbin/runc'),
  'a JVM': () => existsSync('/usr/bin/java'),
  bubblewrap: () => existsSync(process.env.HUTCH_TEST_BWRAP ?? '/usr/bin/bwrap'),
  libseccomp: () => existsSync('/usr/include/seccomp.h'),
  "Podman's profile": () => existsSync('/usr/share/containers/seccomp.json'),
  'socat(1)': () => existsSync('/usr/bin/socat'),
  ripgrep: () => existsSync('/usr/bin/rg'),
  'sandbox-runtime': () => existsSync('node_modules/@anthropic-ai/sandbox-runtime'),
  Prometheus: () => existsSync('/usr/bin/prometheus') && existsSync('/usr/bin/promtool'),
  'tmux(1)': () => existsSync('/usr/bin/tmux'),
  chromium: () => existsSync('/usr/bin/chromium'),
  'setpriv(1)': () => existsSync('/usr/bin/setpriv'),
  Landlock: () => native().landlock() > 0,
  'user attributes on tmpfs': () => {
    const [major, minor] = readHost().kernel
    return major > 6 || (major === 6 && minor >= 6)
  },
  autogroups: () => existsSync('/proc/self/autogroup'),
  'setfattr(1)': () => existsSync('/usr/bin/setfattr'),
  mandoc: () => existsSync('/usr/bin/mandoc'),
  bash: () => existsSync('/bin/bash'),
  zsh: () => existsSync('/usr/bin/zsh'),
  fish: () => existsSync('/usr/bin/fish'),
  python3: () => spawnSync('python3', ['--version']).status === 0,
  'cgroup-tools': () => existsSync('/usr/bin/cgcreate'),
} as const

/** A word of the table above, or the path of a program. */
export type Need = keyof typeof needs | `/${string}`

/** Skips the test unless the host has all of these. */
export function requires(context: TestContext, ...wanted: readonly Need[]): void {
  for (const need of wanted) {
    const holds = need.startsWith('/') ? () => existsSync(need) : needs[need as keyof typeof needs]
    if (!holds) throw new Error(`unknown requirement: ${need}`)
    if (holds()) continue
    skip(context, `needs ${need}`)
  }
}

/** Skips the test for this reason, which test/run.js prints. */
export function skip(context: TestContext, reason: string): never {
  Object.assign(context.task.meta, { skipped: reason })
  return context.skip(reason)
}
