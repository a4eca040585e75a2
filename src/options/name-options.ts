// SPDX-License-Identifier: Apache-2.0
// Parses the options for host names into a part of a Spec: lines of /etc/hosts and settings of /etc/resolv.conf. Also
// creates the texts of both files. Pure.
import { fail } from '../errors/errors.ts'
import type { Root } from '../mounts/root.ts'
import { optionName } from '../options/names.ts'
import { sandboxHosts } from '../options/sandbox-preset.ts'
import type { Spec, SpecFrontendName } from '../options/spec.ts'
import { isIpv4, isIpv6 } from '../text/ip-address.ts'

/** Options that control how the job resolves host names. */
export interface NameOptions {
  /** * Lines to add to /etc/hosts, as `NAME:IP`. They follow the host's lines. If the job has its own root directory, they follow a line for localhost. None by default. */
  addHosts?: string | readonly string[]
  /** Name servers in /etc/resolv.conf; the host's by default. */
  dns?: string | readonly string[]
  /** Search domains in /etc/resolv.conf; the host's by default. `'.'` means no search domain. */
  dnsSearch?: string | readonly string[]
  /** Resolver options in /etc/resolv.conf, such as `'ndots:1'`; the host's by default. */
  dnsOptions?: string | readonly string[]
}

/** Parsed options for host names. If a list is absent, the host's setting is used. */
export interface Names {
  hosts?: { name: string; address: string }[]
  servers?: string[]
  search?: string[]
  options?: string[]
}

/** Texts of the host's files, read only for a run that has options for host names. */
export interface NameFacts {
  hosts: string
  resolver: string
}

type Key = keyof NameOptions
const paths = { hosts: '/etc/hosts', resolver: '/etc/resolv.conf' } as const

/** Parses the options for host names. Returns undefined if none is given. @throws OPTION_INVALID */
export function parseNames(options: NameOptions, nameOf: (key: Key) => string): Names | undefined {
  const list = <T>(key: Key, accepted: string, read: (text: string) => T | undefined): T[] | undefined => {
    const value = options[key]
    if (value === undefined) return undefined
    return [value].flat().map((text: unknown) => {
      const result = typeof text === 'string' ? read(text) : undefined
      if (result === undefined) throw fail('OPTION_INVALID', { name: nameOf(key), value: text, accepted })
      return result
    })
  }
  const hosts = list('addHosts', 'NAME:IP, such as db:10.0.0.5', parseHost)
  const servers = list('dns', 'an IP address, such as 9.9.9.9', (text) =>
    isIpv4(text) || isIpv6(text) ? text : undefined,
  )
  const search = list('dnsSearch', 'a domain, such as example.org, or a dot', matching(/^(\.|[\w.-]{1,253})$/))
  const resolver = list('dnsOptions', 'a word of resolv.conf(5), such as ndots:1', matching(/^[a-z0-9-]+(:\d+)?$/))
  const names = {
    ...(hosts && { hosts }),
    ...(servers && { servers }),
    ...(search && { search: search.filter((domain) => domain !== '.') }),
    ...(resolver && { options: resolver }),
  }
  return Object.keys(names).length > 0 ? names : undefined
}

const matching = (shape: RegExp) => (text: string) => (shape.test(text) ? text : undefined)

/**
 * Parses a line for /etc/hosts: `NAME:IP` or `NAME=IP`; an IPv6 address can be in brackets. Returns undefined if the
 * text is invalid.
 */
function parseHost(text: string): { name: string; address: string } | undefined {
  const [, name, , bracketed, bare] = /^([A-Za-z0-9_][\w.-]{0,252})([:=])(?:\[(.+)\]|(.+))$/.exec(text) ?? []
  const address = bracketed ?? bare
  return name !== undefined && address !== undefined && (isIpv4(address) || isIpv6(address))
    ? { name, address }
    : undefined
}

/**
 * Refuses the options for host names if the user also mounts a file over /etc/hosts or /etc/resolv.conf.
 *
 * @throws OPTION_CONFLICT
 */
export function refuseMountedNames(names: Names, root: Root | undefined, frontend: SpecFrontendName): void {
  for (const [file, key] of [
    ['hosts', names.hosts && 'addHosts'],
    ['resolver', (names.servers && 'dns') ?? (names.search && 'dnsSearch') ?? (names.options && 'dnsOptions')],
  ] as const) {
    const mount = key && root?.mounts.find(({ target }) => target === paths[file])
    if (mount)
      throw fail('OPTION_CONFLICT', {
        name: optionName(key, frontend),
        why: `${mount.origin} mounts another file at ${paths[file]}`,
        remedy: 'leave one of them out',
      })
  }
}

/** Adds the texts of /etc/hosts and /etc/resolv.conf to the job's root. */
export function namedRoot(
  { names, hostname, frontend, sandbox }: Spec,
  root: Root | undefined,
  facts: NameFacts,
): Root {
  const { hosts, ...resolver } = names!
  const texts = new Map((root?.texts ?? []).map((text) => [text.target, text]))
  const put = (target: string, key: Key, text: (before: string | undefined) => string) =>
    texts.set(target, {
      target,
      text: text(texts.get(target)?.text),
      origin: optionName(key, frontend),
      required: true,
    })
  const own = root?.directory !== undefined && !sandbox
  const base = own ? sandboxHosts.text(hostname ?? 'localhost') : facts.hosts
  if (hosts)
    put(paths.hosts, 'addHosts', (before = base) =>
      lines(
        before,
        hosts.map((host) => `${host.address}\t${host.name}`),
      ),
    )
  if (Object.keys(resolver).length > 0)
    put(
      paths.resolver,
      resolver.servers ? 'dns' : resolver.search ? 'dnsSearch' : 'dnsOptions',
      (before = facts.resolver) => resolverWith(before, resolver),
    )
  return { ...(root ?? { readOnly: false, dev: false, mounts: [], devices: [] }), texts: [...texts.values()] }
}

function lines(before: string, more: readonly string[]): string {
  return `${before}${before === '' || before.endsWith('\n') ? '' : '\n'}${more.map((line) => `${line}\n`).join('')}`
}

/** Returns a text of resolv.conf(5) in which the given settings replace the existing ones. */
function resolverWith(before: string, { servers, search, options }: Omit<Names, 'hosts'>): string {
  const replaced = [
    ...(servers ? ['nameserver'] : []),
    ...(search ? ['search', 'domain'] : []),
    ...(options ? ['options'] : []),
  ]
  const kept = before.split('\n').filter((line) => /^[a-z]/.test(line) && !replaced.includes(line.split(/\s/, 1)[0]!))
  return lines('', [
    ...(servers ?? []).map((server) => `nameserver ${server}`),
    ...(search && search.length > 0 ? [`search ${search.join(' ')}`] : []),
    ...(options && options.length > 0 ? [`options ${options.join(' ')}`] : []),
    ...kept,
  ])
}
