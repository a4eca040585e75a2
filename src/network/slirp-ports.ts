// SPDX-License-Identifier: Apache-2.0
// Publishes ports through the control socket of slirp4netns(1): one JSON request for each connection.

import { fail } from '../errors/errors.ts'
import { mkdtempSync, rmSync, tmpdir } from '../system/files.ts'
import { connect } from '../system/sockets.ts'
import { plain } from '../text/quote.ts'
import type { Publish } from './network.ts'

/** The address of the job in its network, which slirp4netns assigns. */
const guest = '10.0.2.100'

/** Creates a directory for the control socket that only this user can enter. */
export function openOrders() {
  const directory = mkdtempSync(`${tmpdir()}/hutch-slirp-`)
  const socket = `${directory}/orders`
  return {
    socket,
    /** @throws NETWORK_REFUSED */
    forward: (port: Publish) => forward(socket, port),
    remove: () => rmSync(directory, { recursive: true, force: true }),
  }
}

async function forward(socket: string, port: Publish): Promise<void> {
  const order = {
    execute: 'add_hostfwd',
    arguments: {
      proto: port.protocol,
      host_addr: port.address || '0.0.0.0',
      host_port: port.hostPort,
      guest_addr: guest,
      guest_port: port.port,
    },
  }
  const answer = await ask(socket, JSON.stringify(order))
  const refused = /"error"\s*:\s*\{[^}]*"desc"\s*:\s*"([^"]*)"/.exec(answer)?.[1]
  if (refused === undefined && /"return"/.test(answer)) return
  throw fail('NETWORK_REFUSED', {
    what: `publish port ${port.hostPort}`,
    by: 'slirp4netns',
    evidence: [plain(refused ?? 'it did not answer')],
    remedy: 'publish free ports; those below 1024 need root, or sysctl net.ipv4.ip_unprivileged_port_start',
  })
}

/** Sends a request to the control socket and returns the answer. Returns '' if there is no answer. */
function ask(path: string, text: string): Promise<string> {
  return new Promise((resolve) => {
    let answer = ''
    const socket = connect(path, () => socket.end(text))
    socket.setTimeout(10_000, () => socket.destroy())
    socket.on('data', (data: Buffer) => {
      if (answer.length < 65_536) answer += data.toString('utf8')
    })
    socket.on('error', () => {})
    socket.on('close', () => resolve(answer))
  })
}
