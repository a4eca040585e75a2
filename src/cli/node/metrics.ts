// SPDX-License-Identifier: Apache-2.0
// hutch metrics: serves all groups' figures to Prometheus, or pushes them by OTLP/HTTP, until a signal arrives.
import { fail } from '../../errors/errors.ts'
import { readHost } from '../../host/host.ts'
import { openCollector } from '../../monitor/exporter/collect.ts'
import { readTarget } from '../../monitor/exporter/otel-settings.ts'
import { formatMetrics } from '../../monitor/exporter/prometheus-text.ts'
import { openPush } from '../../monitor/exporter/push.ts'
import { serve } from '../../monitor/exporter/serve.ts'
import { openSampler } from '../../monitor/sampler.ts'
import { commandNames } from '../../options/names.ts'
import { print } from '../../system/stdout.ts'
import type { Command } from '../command.ts'
import type { FlagTable, Parsed } from '../flags.ts'
import { readInterval } from '../polling.ts'

const address = '127.0.0.1:9753'

const flags: FlagTable = {
  listen: {
    value: 'ADDRESS:PORT',
    help: 'Address at which Prometheus can read /metrics; port 0 selects a free port.',
    default: address,
  },
  once: { help: 'Print the metrics and end; with --otlp: push the metrics once.' },
  'open-metrics': { help: 'With --once: print the OpenMetrics format.' },
  otlp: {
    value: 'URL|env',
    help: 'Push by OTLP/HTTP to this URL (http://127.0.0.1:4318); env: to OTEL_EXPORTER_OTLP_ENDPOINT. Listens only with --listen.',
  },
  interval: {
    value: 'TIME',
    help: 'With --otlp: time between two pushes.',
    default: 'OTEL_METRIC_EXPORT_INTERVAL, or 15s',
  },
}

export const command: Command = {
  words: '',
  details: "Exports the figures of all control groups under cAdvisor's names, until a signal ends it.",
  flags,
  maxWords: 0,
  main,
}

async function main({ values }: Parsed): Promise<number> {
  const { once, listen: listens, interval: pause } = values
  const target = readTarget(values.otlp?.at(-1), process.env)
  refuseIdle('--listen', listens && once, 'with --once nothing is served', 'omit one of them')
  refuseIdle(
    '--open-metrics',
    values['open-metrics'] && (!once || target),
    'it applies only to --once',
    'add --once, without --otlp; a scraper requests its format',
  )
  refuseIdle(
    '--interval',
    pause && (once || !target),
    'it applies only to --otlp',
    'add --otlp URL, without --once; a scraper has its own interval',
  )
  const interval = readInterval(values, target?.intervalMs ?? 15_000, 100)
  const listen = parseAddress(listens?.at(-1) ?? address)
  const host = readHost()
  const survey = openSampler(host)
  const takeSample = openCollector(host, survey)
  const push = target && openPush(takeSample, target)
  try {
    if (once) {
      if (push) await push.once()
      else print(formatMetrics(takeSample().families, values['open-metrics'] ? 'openMetrics' : 'prometheus'))
      return 0
    }
    const ended = new Promise<number>((resolve) => {
      for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve(0))
    })
    const server = push && !listens ? undefined : await serve(takeSample, listen, commandNames({}))
    push?.start(interval)
    const status = await ended
    server?.close()
    server?.closeAllConnections()
    return status
  } finally {
    push?.stop()
    survey.close()
  }
}

/** Refuses an option that would have no effect in this combination. @throws OPTION_CONFLICT */
function refuseIdle(name: string, idle: unknown, why: string, remedy: string): void {
  if (idle) throw fail('OPTION_CONFLICT', { name, why, remedy })
}

/** Parses an address to listen on: `127.0.0.1:9753`, `[::1]:9753` or `:9753` (all addresses). @throws OPTION_INVALID */
export function parseAddress(text: string): [host: string, port: number] {
  const [, six, four, port] = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]\s]*)):(\d{1,5})$/.exec(text) ?? []
  if (port !== undefined && Number(port) < 65_536) return [six ?? (four === '' ? '::' : four!), Number(port)]
  throw fail('OPTION_INVALID', {
    name: '--listen',
    value: text,
    why: 'not an address with a port',
    accepted: `an address such as ${address}, [::1]:9753, or :9753 for all`,
  })
}
