// SPDX-License-Identifier: Apache-2.0
// The options of networks → their part of a Spec and of a Plan. Pure.

import { capabilityNumbers, hasCapability } from '../credentials/capability.ts'
import { fail } from '../errors/errors.ts'
import type { Root } from '../mounts/root.ts'
import { type Extent, idOutside, isMapped } from '../namespaces/id-map.ts'
import type { NamespaceKind } from '../namespaces/namespace.ts'
import {
  hasOwnServer,
  type Network,
  type NetworkTool,
  nameServers,
  type PlannedNetwork,
  type Publish,
  parsePublish,
  resolverText,
} from '../network/network.ts'
import { toolArguments } from '../network/user-mode.ts'
import { optionName } from '../options/names.ts'
import type { NamespaceSpec } from '../options/namespace-options.ts'
import type { Spec } from '../options/spec.ts'
import { nearest } from '../text/nearest.ts'
import type { UserNamespace } from './credentials.ts'

/** Options that concern networks. */
export interface NetworkOptions {
  /**
   * `'none'`: loopback alone. `'host'`: the host's. `'private'`: connected by pasta or slirp4netns, whichever is
   * installed, or the one that `'private:pasta'` names. `'cni:NAME'`: connected by the CNI plugins of this config list.
   */
  network?: string
  /** Ports of the host that lead inside: `[IP:]HOSTPORT:PORT[/tcp|udp]`. */
  publish?: string | readonly string[]
  /** Where CNI config lists are; $CNI_CONF_DIR or /etc/cni/net.d if not given. */
  cniConfDir?: string
}

type Say = (key: keyof NetworkOptions) => string
const accepted = 'none, host, private, private:pasta, private:slirp4netns or cni:NAME'

/** `given`: the word of `isolate` as it came. Changes which namespaces are made. @throws OPTION_INVALID, OPTION_CONFLICT */
export function parseNetwork(
  options: NetworkOptions,
  namespaces: NamespaceSpec,
  given: unknown,
  say: Say,
): Network | undefined {
  const { network, cniConfDir } = options
  const publish = parsePorts(options.publish, say('publish'))
  const [kind, detail] = network === undefined ? [] : parseWord(network, say('network'))
  if (publish.length > 0 && kind !== 'private' && kind !== 'cni')
    throw conflict(say('publish'), 'there is no connected network to forward to', `add ${say('network')} private`)
  if (cniConfDir !== undefined && kind !== 'cni')
    throw conflict(say('cniConfDir'), 'no CNI network is requested', `add ${say('network')} cni:NAME`)
  if (cniConfDir !== undefined && (typeof cniConfDir !== 'string' || !/^[^\0]+$/.test(cniConfDir)))
    throw fail('OPTION_INVALID', {
      name: say('cniConfDir'),
      value: cniConfDir,
      accepted: 'a directory',
    })
  if (kind === undefined) return undefined
  isolateFor(kind, namespaces, given, say)
  if (kind === 'private') return { kind, publish, ...(detail && { tool: detail as NetworkTool }) }
  if (kind === 'cni')
    return { kind, publish, name: detail!, ...(cniConfDir !== undefined && { configDirectory: cniConfDir }) }
  return undefined
}

function parseWord(value: unknown, name: string): ['none' | 'host' | 'private' | 'cni', string?] {
  if (value === 'none' || value === 'host' || value === 'private') return [value]
  if (value === 'private:pasta' || value === 'private:slirp4netns') return ['private', value.slice(8)]
  if (typeof value === 'string' && /^cni:[A-Za-z0-9][\w.-]*$/.test(value)) return ['cni', value.slice(4)]
  const near =
    typeof value === 'string'
      ? nearest(value, ['none', 'host', 'private', 'private:pasta', 'private:slirp4netns'])
      : undefined
  throw fail('OPTION_INVALID', {
    name,
    value,
    why: 'there is no such network',
    accepted: near ? `${near}? Accepted is ${accepted}` : accepted,
  })
}

function parsePorts(value: unknown, name: string): Publish[] {
  const words = value === undefined ? [] : Array.isArray(value) ? (value as unknown[]) : [value]
  const ports = words.map((word) => {
    const port = parsePublish(word)
    if (port) return port
    throw fail('OPTION_INVALID', {
      name,
      value: word,
      accepted: '[IP:]HOSTPORT:PORT[/tcp|udp] with ports from 1 to 65535, such as 127.0.0.1:8080:80',
    })
  })
  const keys = ports.map(({ address, hostPort, protocol }) => `${address} ${hostPort} ${protocol}`)
  const twice = keys.findIndex((key, i) => keys.indexOf(key) !== i)
  if (twice >= 0)
    throw fail('OPTION_INVALID', {
      name,
      value: words[twice],
      why: 'this host port is already published',
      accepted: 'publish each host port once',
    })
  return ports
}

/** A separate network needs a net namespace; the host's network does not. */
function isolateFor(kind: string, namespaces: NamespaceSpec, given: unknown, say: Say): void {
  const { isolate, joins } = namespaces
  if (joins.some((join) => join.kind === 'net'))
    throw conflict(say('network'), 'the network namespace is one that is joined', 'omit one of them')
  if (kind === 'host') {
    if (Array.isArray(given) && given.includes('net'))
      throw conflict(say('network'), 'a network namespace of its own is also requested', 'leave net out of --isolate')
    namespaces.isolate = isolate.filter((each) => each !== 'net')
    return
  }
  // the connection is made from outside as soon as the job is born, so the namespace has to be born with it
  if (kind !== 'none' && joins.some((join) => join.kind === 'user'))
    throw conflict(say('network'), 'the user namespace is one that is joined', 'omit one of them, or give none')
  if (!isolate.includes('net')) isolate.push('net')
}

/** Facts that only a run with a network needs. */
export interface NetworkFacts {
  /** Where the tool is: the first that is installed, of those that are asked for. */
  tool?: { name: NetworkTool; path: string }
  /** /dev/net/tun can be opened by this user. */
  tun: boolean
  /** By others than its owner, too. */
  tunForAll: boolean
  /** The host's resolv.conf, and where its CNI config lists are. */
  resolver: string
  configDirectory: string
}

/** @throws NETWORK_TOOL_MISSING, NETWORK_REFUSED, OPTION_CONFLICT */
export function planNetwork(spec: Spec, facts: NetworkFacts, permitted: string, id: string): PlannedNetwork {
  const network = spec.network!
  const { publish } = network
  if (network.kind === 'cni') {
    const { NET_ADMIN, SYS_ADMIN } = capabilityNumbers
    if (!hasCapability(permitted, NET_ADMIN) || !hasCapability(permitted, SYS_ADMIN))
      throw conflict(
        optionName('network', spec.door),
        "CNI plugins change the host's network, which needs CAP_NET_ADMIN and CAP_SYS_ADMIN",
        'run as root, or use private, which needs no rights',
      )
    return {
      kind: 'cni',
      publish,
      name: network.name,
      id,
      configDirectory: network.configDirectory ?? facts.configDirectory,
    }
  }
  if (!facts.tool)
    throw fail('NETWORK_TOOL_MISSING', {
      what: network.tool ? `${network.tool} is not` : 'neither pasta nor slirp4netns is',
      package: network.tool === 'slirp4netns' ? 'slirp4netns' : 'passt',
    })
  if (!facts.tun) throw withoutTun('/dev/net/tun does not exist, or this user cannot open it')
  const foreign = facts.tool.name === 'slirp4netns' && publish.find(({ address }) => address.includes(':'))
  if (foreign)
    throw conflict(
      optionName('publish', spec.door),
      `slirp4netns cannot listen at ${foreign.address}`,
      'use pasta: private:pasta (apt-get install passt)',
    )
  return { kind: 'private', publish, tool: facts.tool.name, path: facts.tool.path }
}

function withoutTun(why: string) {
  return fail('NETWORK_REFUSED', {
    what: 'connect a private network',
    by: 'the host',
    evidence: [why],
    remedy: 'as root: modprobe tun; chmod 666 /dev/net/tun',
  })
}

/** The tool enters the job's user namespace, where it may be somebody who cannot open what root can. @throws NETWORK_REFUSED */
export function refuseForeignTun(maps: UserNamespace | undefined, facts: NetworkFacts, caller: number): void {
  if (!maps || facts.tunForAll) return
  const outside = idOutside(maps.users, runsAs(maps).uid)
  if (outside === caller) return
  // the ids of root's sandboxes are chosen at the start
  const user = outside === undefined ? "one of the sandbox's own ids" : `user ${outside}`
  throw withoutTun(`the tool is ${user} in the job's user namespace, which cannot open /dev/net/tun`)
}

/** The line of a shell that connects $PID as hutch does. */
export function networkLine(network: PlannedNetwork, runAs: { uid: number; gid: number }): string {
  if (network.kind === 'cni')
    return `CNI_PATH=/usr/lib/cni NETCONFPATH=${network.configDirectory} cnitool add ${network.name} /proc/$PID/ns/net`
  const words = toolArguments(network.tool, { publish: network.publish, runAs, netns: '/proc/$PID/ns/net' })
  return [network.path, ...words].join(' ')
}

/** Who a tool is in the user namespace that owns the job's network: 0, where there is one. */
export function runsAs(maps: UserNamespace | undefined): { uid: number; gid: number } {
  const who = (extents: readonly Extent[]) => (isMapped(extents, 0) ? 0 : extents[0]!.inside)
  return maps ? { uid: who(maps.users), gid: who(maps.groups) } : { uid: 0, gid: 0 }
}

const target = '/etc/resolv.conf'

/**
 * Returns the root with its resolv.conf. If the host's name servers are unreachable from inside, a separate root is created for it.
 */
export function resolvedRoot(spec: Spec, facts: NetworkFacts, network: PlannedNetwork): Root | undefined {
  const { root } = spec
  if (root?.mounts.some((mount) => mount.target === target)) return root
  const mounts = spec.isolate.includes('mount' satisfies NamespaceKind)
  if (!mounts || (!root && !hasOwnServer(facts.resolver))) return root
  const server = network.kind === 'private' ? nameServers[network.tool] : undefined
  const text = resolverText(facts.resolver, server)
  return {
    ...(root ?? { readOnly: false, dev: false, mounts: [], devices: [] }),
    texts: [...(root?.texts ?? []), { target, text, origin: 'network' }],
  }
}

function conflict(name: string, why: string, remedy: string) {
  return fail('OPTION_CONFLICT', { name, why, remedy })
}
