// SPDX-License-Identifier: Apache-2.0
// Describes a job's network as data, and creates the text of its /etc/resolv.conf. Pure.

import { isIpv4, isIpv6 } from '../text/ip-address.ts'
/** A port of the host that forwards to a port of the job. */
export interface Publish {
  /** The host's address to listen on. '' means every address. */
  address: string
  hostPort: number
  port: number
  protocol: 'tcp' | 'udp'
}

/** Programs that connect a network namespace without needing root on the host. */
export type NetworkTool = 'pasta' | 'slirp4netns'

/** A network that hutch connects from outside while the job waits. (With `none` and `host` there is nothing to connect.) */
export type Network = { publish: Publish[] } & (
  | { kind: 'private'; tool?: NetworkTool }
  | { kind: 'cni'; name: string; configDirectory?: string }
)

/** A network with every choice made, such as which tool is installed on this machine. */
export type PlannedNetwork = { publish: Publish[] } & (
  | { kind: 'private'; tool: NetworkTool; path: string }
  /** Names the container for the plugins. Also names the hutch process, so that a later hutch can find what it left. */
  | { kind: 'cni'; name: string; configDirectory: string; id: string }
)

/** The address in the job at which each tool forwards DNS requests to the host's name server. slirp4netns has it built in. */
export const nameServers: { [tool in NetworkTool]: string } = { pasta: '169.254.1.1', slirp4netns: '10.0.2.3' }

const shape = /^(?:(\d{1,3}(?:\.\d{1,3}){3}|\[[0-9A-Fa-f:.]+\]):)?(\d{1,5}):(\d{1,5})(?:\/(tcp|udp))?$/

/** Parses a published port: `[IP:]HOSTPORT:PORT[/tcp|udp]`. An IPv6 address needs brackets. */
export function parsePublish(value: unknown): Publish | undefined {
  const [, where = '', hostPort, port, protocol = 'tcp'] = (typeof value === 'string' && shape.exec(value)) || []
  const address = where.startsWith('[') ? where.slice(1, -1) : where
  if (where !== '' && !(where.startsWith('[') ? isIpv6(address) : isIpv4(address))) return undefined
  if (!isPort(hostPort) || !isPort(port)) return undefined
  return { address, hostPort: Number(hostPort), port: Number(port), protocol: protocol as Publish['protocol'] }
}

function isPort(text: string | undefined): boolean {
  return text !== undefined && Number(text) >= 1 && Number(text) <= 65_535
}

/**
 * Returns true if a resolv.conf(5) has a name server on the host's loopback, such as systemd-resolved. Another network
 * namespace cannot reach it.
 */
export function hasOwnServer(text: string): boolean {
  return serversIn(text).some(isLoopback)
}

/**
 * Returns the text of resolv.conf(5) for a job, made from the host's. Its name server is `server`; without it, the
 * host's name servers that the job can reach.
 */
export function resolverText(text: string, server?: string): string {
  const servers = server === undefined ? serversIn(text).filter((one) => !isLoopback(one)) : [server]
  const kept = text.split('\n').filter((line) => /^(search|domain|options)\s+[\x21-\x7e \t]+$/.test(line))
  return [...servers.map((one) => `nameserver ${one}`), ...kept].map((line) => `${line}\n`).join('')
}

function serversIn(text: string): string[] {
  return [...text.matchAll(/^nameserver[ \t]+([0-9A-Fa-f:.]+(?:%[\w.-]+)?)[ \t]*$/gm)].map(([, server]) => server!)
}

function isLoopback(server: string): boolean {
  return server.startsWith('127.') || server === '::1' || server === '0.0.0.0'
}
