// SPDX-License-Identifier: Apache-2.0
// linux.netDevices: devices of the host that containers get.
import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { afterAll, afterEach, beforeEach, expect, test } from 'vitest'
import { requires } from '../support/requires.ts'
import { containers } from './containers.ts'

const { oci, bundle, remove } = containers()
afterAll(remove)

const ip = (...words: string[]) => execFileSync('ip', words, { encoding: 'utf8', stdio: 'pipe' })
/** Pairs of devices, whose other ends stay on the host. */
const names = (n: number) => [`ht${process.pid % 100_000}a${n}`, `ht${process.pid % 100_000}b${n}`] as const

beforeEach((context) => {
  requires(context, 'root', 'busybox', 'ip(8)')
  const made = spawnSync('ip', ['link', 'add', names(0)[0], 'type', 'veth', 'peer', 'name', names(0)[1]])
  if (made.status !== 0) context.skip('needs veth devices')
})
afterEach(() => {
  // the kernel removes a pair some time after the network namespace of one end: then there is nothing to delete
  for (const n of [0, 1])
    while (existsSync(`/sys/class/net/${names(n)[1]}`)) spawnSync('ip', ['link', 'delete', names(n)[1]])
})

let last = 0
const isolated = ['mount', 'pid', 'network'].map((type) => ({ type }))

/** Runs a container with these devices, and returns what it prints, or the error. */
function printed(netDevices: object, program: string, changes = {}) {
  const { id, directory } = bundle(`net-${last++}`, {
    'linux.namespaces': isolated,
    'linux.netDevices': netDevices,
    'process.args': ['sh', '-c', program],
    ...changes,
  })
  const { status, stdout, stderr } = oci('run', '--bundle', directory, id)
  return { status, text: stdout + stderr }
}

test('a device keeps its global addresses, gets its name, and is up', () => {
  const [device, peer] = names(0)
  ip('address', 'add', '192.0.2.7/24', 'broadcast', '192.0.2.255', 'dev', device)
  ip('address', 'add', '2001:db8::7/64', 'dev', device)
  ip('address', 'add', '192.0.2.9/32', 'scope', 'link', 'dev', device)
  ip('link', 'set', peer, 'up')
  const { status, text } = printed({ [device]: { name: 'moved' } }, 'ip address show dev moved; ip link show dev lo')
  expect({ status, text }).toEqual({ status: 0, text: expect.stringMatching(/: moved@.*<.*\bUP\b/) })
  expect(text).toContain('inet 192.0.2.7/24 brd 192.0.2.255 scope global moved')
  expect(text).toContain('inet6 2001:db8::7/64 scope global')
  expect(text).not.toContain('192.0.2.9')
})

test('a template gives the lowest free number', () => {
  ip('link', 'add', names(1)[0], 'type', 'veth', 'peer', 'name', names(1)[1])
  const devices = { [names(0)[0]]: { name: 'eth%d' }, [names(1)[0]]: { name: 'eth%d' } }
  const { status, text } = printed(devices, 'ls /sys/class/net', {
    mounts: [{ destination: '/sys', type: 'sysfs', source: 'sysfs' }],
  })
  expect({ status, text }).toEqual({ status: 0, text: 'eth0\neth1\nlo\n' })
})

test('without a name, the device keeps its own', () => {
  const { status, text } = printed({ [names(0)[0]]: {} }, 'ip -o link')
  expect({ status, text }).toEqual({ status: 0, text: expect.stringContaining(`: ${names(0)[0]}@`) })
})

test('errors say which device, and why', () => {
  const [device] = names(0)
  for (const [devices, words] of [
    [{ none9: {} }, 'cannot find the network device none9: the kernel refused (ENODEV)'],
    [
      { [device]: { name: 'lo' } },
      `cannot use the name lo for the network device ${device}: the kernel refused (EEXIST)`,
    ],
    [{ lo: { name: 'lo9' } }, 'cannot move the network device lo into the container as lo9'],
  ] as const) {
    const { status, text } = printed(devices, 'true')
    expect({ status, text }).toEqual({ status: 1, text: expect.stringContaining(words) })
  }
  // nothing was moved, or set down
  expect(execFileSync('ip', ['-br', 'link', 'show', 'lo'], { encoding: 'utf8' })).toContain('LOWER_UP')
  expect(existsSync(`/sys/class/net/${device}`)).toBe(true)
})
