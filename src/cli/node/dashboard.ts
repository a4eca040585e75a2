// SPDX-License-Identifier: Apache-2.0
// hutch dashboard: shows all groups live as a page in the browser, until a signal arrives.

import { isIP } from 'node:net'
import { setFlagsFromString } from 'node:v8'
import { readHost } from '../../host/host.ts'
import { commandNames } from '../../options/names.ts'
import { writeStderr } from '../../system/stderr.ts'
import { print } from '../../system/stdout.ts'
import { openDashboard, type Page } from '../../ui/dashboard/server.ts'
import type { Command } from '../command.ts'
import type { FlagTable, Parsed } from '../flags.ts'
import { parseAddress } from './metrics.ts'

/** The web page of src/ui/dashboard/page/ as text; build.js inserts it here. */
declare const DASHBOARD_PAGE: Page

const address = '127.0.0.1:7070'

const flags: FlagTable = {
  listen: { value: 'ADDRESS:PORT', help: 'Address of the page; port 0 selects a free port.', default: address },
  'allow-changes': { help: 'Let the page change limits, freeze and kill groups.' },
}

export const command: Command = {
  words: '',
  details:
    'Prints the URL of the page. The URL contains a token; without it, the page shows nothing. Ends at SIGINT or SIGTERM.',
  flags,
  maxWords: 0,
  main,
}

async function main({ values }: Parsed): Promise<number> {
  // taking samples produces much garbage: collect it often, so that each collection is short
  setFlagsFromString('--semi-space-growth-factor=1')
  setFlagsFromString('--heap-growing-percent=100')
  const [host, port] = parseAddress(values.listen?.at(-1) ?? address)
  const ended = new Promise<number>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve(0))
  })
  const dashboard = await openDashboard(readHost(), {
    address: host,
    port,
    allowChanges: values['allow-changes'] !== undefined,
    page: DASHBOARD_PAGE,
    names: commandNames({}),
  })
  print(`${dashboard.url}\n`)
  if (!isLoopback(host))
    writeStderr(
      'hutch: other machines can reach this address, and the connection is not encrypted: anybody on the network can read the token. Safer: listen on 127.0.0.1, and use ssh -L 7070:127.0.0.1:7070\n',
    )
  const status = await ended
  dashboard.close()
  return status
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'))
}
