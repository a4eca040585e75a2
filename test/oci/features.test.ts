// SPDX-License-Identifier: Apache-2.0
// What `features` lists, tried: containers with everything that it names, and as the control, with a word that it does not name.
import { mkdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs'
import { afterAll, beforeEach, expect, test } from 'vitest'
import { requires } from '../support/requires.ts'
import { containers } from './containers.ts'

const { path, oci, bundle, remove } = containers()
afterAll(remove)
beforeEach((context) => requires(context, 'root', 'busybox'))

interface Features {
  hooks: string[]
  mountOptions: string[]
  linux: {
    namespaces: string[]
    capabilities: string[]
    seccomp: { actions: string[]; operators: string[]; archs: string[]; supportedFlags: string[]; knownFlags: string[] }
  }
  annotations: { [name: string]: string }
}
const features = (): Features => JSON.parse(oci('features').stdout)

/** Runs a container, and returns its output. */
function printed(name: string, script: string, changes: { [path: string]: unknown }): string {
  const { id, directory } = bundle(name, { 'process.args': ['sh', '-c', script], ...changes })
  const { stdout, stderr } = oci('run', '--bundle', directory, id)
  return `${stdout}${stderr}`
}

const proc = { destination: '/proc', type: 'proc', source: 'proc' }

test('each mount option is one of hutch, not of the file system', () => {
  const source = `${path}/source`
  mkdirSync(source)
  const { mountOptions } = features()
  // a tmpfs of the host can map ids only since 6.3: process-and-mounts.test.ts tries these two
  const words = mountOptions.filter((word) => !/^r?idmap$/.test(word))
  expect(mountOptions.length - words.length).toBe(2)
  const mounts = words.map((word) => {
    const destination = `/data/${word}`
    if (/^r?bind$/.test(word)) return { destination, type: 'bind', source, options: [word] }
    if (word === 'remount')
      return { destination: `/data/${words[0]}`, type: 'tmpfs', source: 'tmpfs', options: [word, 'ro'] }
    // options for a tree are for a copy of one
    if (/^r(?!o$|w$|elatime$)/.test(word)) return { destination, type: 'bind', source, options: ['rbind', word] }
    return { destination, type: 'tmpfs', source: 'tmpfs', options: [word] }
  })
  const text = printed('options', 'cat /proc/self/mountinfo', { mounts: [proc, ...mounts] })
  const flagsOf = (word: string) => new RegExp(` /data/${word} (\\S+) `).exec(text)?.[1]?.split(',') ?? []
  expect(words.filter((word) => flagsOf(word).length === 0)).toEqual(['remount'])
  // it is on the first mount
  expect(flagsOf(words[0]!)).toContain('ro')
  const shown = ['ro', 'nosuid', 'nodev', 'noexec', 'noatime', 'nodiratime', 'nosymfollow']
  expect(shown.filter((word) => !flagsOf(word).includes(word))).toEqual([])
  const below = shown.map((word) => `r${word}`)
  expect(below.filter((word) => !flagsOf(word).includes(word.slice(1)))).toEqual([])
  const unknown = { destination: '/data/x', type: 'tmpfs', source: 'tmpfs', options: ['nosuch'] }
  expect(printed('no-option', 'true', { mounts: [proc, unknown] })).toMatch(/^hutch-oci: .*mounts\[1\]/)
})

test('each kind of namespace can be new', () => {
  const { namespaces } = features().linux
  const map = [{ containerID: 0, hostID: 0, size: 1000 }]
  const files: { [type: string]: string } = { mount: 'mnt', network: 'net' }
  const names = namespaces.map((type) => files[type] ?? type)
  const text = printed('namespaces', `for name in ${names.join(' ')}; do readlink /proc/self/ns/$name; done`, {
    'linux.namespaces': namespaces.map((type) => ({ type })),
    'linux.uidMappings': map,
    'linux.gidMappings': map,
  })
  const own = names.map((name) => readlinkSync(`/proc/self/ns/${name}`))
  const found = text.trim().split('\n')
  expect(found.map((line) => line.split(':')[0])).toEqual(names)
  expect(found.filter((line, i) => line === own[i])).toEqual([])
})

test('each capability can be kept', () => {
  const { capabilities } = features().linux
  const text = printed('capabilities', 'grep CapBnd /proc/self/status', {
    'process.capabilities': { bounding: capabilities },
  })
  const mask = BigInt(`0x${/CapBnd:\t(\w+)/.exec(text)![1]}`)
  const own = BigInt(`0x${/CapBnd:\t(\w+)/.exec(readFileSync('/proc/self/status', 'utf8'))![1]}`)
  // this process may lack some itself
  expect(mask).toBe(own)
  const last = Number(readFileSync('/proc/sys/kernel/cap_last_cap', 'utf8'))
  expect(capabilities).toHaveLength(last + 1)
})

test('each action, operator, instruction set and flag of filters is accepted', () => {
  const { actions, operators, archs, supportedFlags, knownFlags } = features().linux.seccomp
  expect(supportedFlags).toEqual(knownFlags)
  const seen = (name: string, seccomp: object) =>
    printed(name, 'grep Seccomp: /proc/self/status', {
      'linux.seccomp': { defaultAction: 'SCMP_ACT_ALLOW', ...seccomp },
    })
  const calls = [
    'acct',
    'swapon',
    'swapoff',
    'quotactl',
    'syslog',
    'vhangup',
    'sethostname',
    'setdomainname',
    'reboot',
    'personality',
  ]
  // descriptors.test.ts tries SCMP_ACT_NOTIFY
  const rules = actions
    .filter((action) => action !== 'SCMP_ACT_NOTIFY')
    .map((action, i) => ({ names: [calls[i]], action }))
  expect(rules).toHaveLength(actions.length - 1)
  const args = operators.map((op, i) => ({
    names: [calls[i]],
    action: 'SCMP_ACT_ERRNO',
    args: [{ index: 0, value: 1, valueTwo: 1, op }],
  }))
  expect(seen('actions', { syscalls: rules, architectures: archs })).toBe('Seccomp:\t2\n')
  expect(seen('operators', { syscalls: args })).toBe('Seccomp:\t2\n')
  expect(seen('flags', { flags: supportedFlags })).toBe('Seccomp:\t2\n')
  const unknown = [
    { syscalls: [{ names: ['acct'], action: 'SCMP_ACT_NOSUCH' }] },
    {
      syscalls: [{ names: ['acct'], action: 'SCMP_ACT_ERRNO', args: [{ index: 0, value: 1, op: 'SCMP_CMP_NOSUCH' }] }],
    },
    { architectures: ['SCMP_ARCH_NOSUCH'] },
    { flags: ['SECCOMP_FILTER_FLAG_NOSUCH'] },
  ]
  for (const [i, seccomp] of unknown.entries()) expect(seen(`refused-${i}`, seccomp)).toMatch(/^hutch-oci: .*NOSUCH/)
})

test('hooks run in the order of their list, and the annotation has the version', () => {
  const { hooks, annotations } = features()
  const log = `${path}/log`
  writeFileSync(log, '')
  const hookOf = (point: string) => [
    {
      path: '/bin/sh',
      args: ['sh', '-c', `echo ${point} >> ${point === 'startContainer' ? '/log' : log}`],
      env: ['PATH=/bin:/usr/bin'],
    },
  ]
  printed('hooks', 'true', {
    hooks: Object.fromEntries(hooks.toReversed().map((point) => [point, hookOf(point)])),
    mounts: [proc, { destination: '/log', type: 'bind', source: log, options: ['bind'] }],
  })
  expect(readFileSync(log, 'utf8').trim().split('\n')).toEqual(hooks)
  const version = annotations['org.opencontainers.hutch.version']
  expect(oci('--version').stdout).toContain(`version ${version}\n`)
})
