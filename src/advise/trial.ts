// SPDX-License-Identifier: Apache-2.0
// Runs the command once under given limits, and observes what it uses. Not pure.
import { run, start } from '../run/job.ts'
import type { Result } from '../verdict/result.ts'
import { noUse, openUseReader, type UseSample } from './use-sample.ts'

/** What is measured: a command, or a server with a load. */
export interface Workload {
  argv: readonly string[]
  /** A server: runs until its load has ended, or for `duration` milliseconds. */
  server?: { duration: number; load?: string; isReady?: (signal: AbortSignal) => Promise<boolean> }
}

/** Limits of one run. Absent means no limit. */
export interface TrialLimits {
  /** Bytes. */
  memory?: number
  /** Bytes: memory.high, which slows a job instead of ending it. Only on v2. */
  memoryHigh?: number
  cpus?: number
  pids?: number
}

/**
 * How a run ended. `slow` means that a lack of memory slowed it too much, `throttled` that its limit of CPUs did. `failed` means
 * another failure than lack of memory.
 */
export type TrialOutcome = 'passed' | 'oom' | 'slow' | 'throttled' | 'failed' | 'stopped'

/** The figures of one run. */
export interface Trial {
  purpose: 'measure' | 'probe' | 'confirm'
  limits: TrialLimits
  /** True if the command did what it should: it exited with 0, or the server ran and its load succeeded. */
  completed: boolean
  /** True if the caller stopped the run. */
  stopped: boolean
  /** True if hutch ended the run, because it mostly waited for memory and files and took much longer than without limits. */
  isHopeless: boolean
  /** One line about the end. */
  headline: string
  status: number
  durationMs: number
  /** Highest memory use in bytes, as the kernel counted. */
  peak: number | undefined
  /** Highest sample of memory that cannot be reclaimed, in bytes. */
  kept: number
  /** Highest sample of that and of mapped page cache, in bytes. */
  working: number
  /** Largest sample of page cache and other reclaimable memory, in bytes. */
  reclaimable: number
  cpuUsec: number
  pidsPeak: number | undefined
  oomKills: number
  limitHits: number
  throttledUsec: number
  /** Microseconds for which some task waited for memory, and for I/O. */
  memoryWaitUsec: number | undefined
  ioWaitUsec: number | undefined
  /** Microseconds for which some task waited for a CPU; 0 if unknown. */
  cpuWaitUsec: number
  io: { readBytes: number; writtenBytes: number } | undefined
  samples: UseSample[]
}

/** Shortest time between two samples in milliseconds. Longer runs are sampled less often, so that the number of samples stays below 4000. */
const shortestPause = 8
const samplesPerRun = 1500

/** A run that mostly waits for memory and files is ended. It has then taken this many times as long as a run without limits, and 2 s more. */
const hopelessFactor = 4
const hopelessMs = 2000

/** Returns true for a run that a lack of memory slows so much that its end shows nothing more. `usualMs` is its time without limits. */
function isHopelessAt({ at, stalledUsec }: UseSample, usualMs: number): boolean {
  return at > usualMs * hopelessFactor + hopelessMs && stalledUsec / 1000 > at / 2
}

/** Runs a workload once. Stops it when the signal aborts. `usualMs` is the time of a run without limits, if it is known. */
export async function runTrial(
  { argv, server }: Workload,
  purpose: Trial['purpose'],
  limits: TrialLimits,
  {
    signal,
    showsErrors,
    swaps,
    usualMs = Number.POSITIVE_INFINITY,
  }: { signal: AbortSignal; showsErrors: boolean; swaps: boolean; usualMs?: number | undefined },
): Promise<Trial> {
  const [file, ...args] = argv
  const { memory, memoryHigh, cpus, pids } = limits
  const job = await start(file!, args, {
    stdio: ['ignore', 'ignore', showsErrors ? 'inherit' : 'ignore'],
    signal,
    limits: {
      ...(memory !== undefined && { memory }),
      // swap would hide what the job needs
      ...(memory !== undefined && swaps && { swap: 0 }),
      ...(memoryHigh !== undefined && { memoryHigh }),
      ...(cpus !== undefined && { cpus }),
      ...(pids !== undefined && { pids }),
    },
  })
  const begun = performance.now()
  const reader = openUseReader(job.directories)
  // what the command used before the first sample counts, too
  const samples: UseSample[] = [noUse]
  let timer: ReturnType<typeof setTimeout> | undefined
  let isHopeless = false
  const observe = () => {
    const at = performance.now() - begun
    const sample = reader.read(at)
    if (sample) samples.push(sample)
    if (sample && !server && isHopelessAt(sample, usualMs)) {
      isHopeless = true
      void job.stop()
      return
    }
    timer = setTimeout(observe, Math.max(shortestPause, at / samplesPerRun))
  }
  observe()
  try {
    const served = server && (await serve(job, server, signal))
    const result = await job.result
    const [last] = samples.slice(-1)
    samples.push({ ...last!, at: performance.now() - begun, cpuUsec: result.usage.cpuUsec ?? last!.cpuUsec })
    return { ...describeTrial(result, purpose, limits, samples, signal.aborted, served), isHopeless }
  } finally {
    clearTimeout(timer)
    reader.close()
  }
}

/** What a server did: whether it was still running at the end of its load, whether the load succeeded, and how long the load took. */
interface Served {
  succeeded: boolean
  durationMs: number
  headline: string
}

async function serve(
  job: Awaited<ReturnType<typeof start>>,
  { duration, load, isReady }: NonNullable<Workload['server']>,
  signal: AbortSignal,
): Promise<Served> {
  const end = new AbortController()
  const stop = () => end.abort()
  signal.addEventListener('abort', stop)
  const timer = setTimeout(stop, duration)
  let isAlive = true
  const ended = job.result.then(() => {
    isAlive = false
    stop()
  })
  let headline = ''
  let succeeded = true
  try {
    if (isReady && !(await isReady(end.signal))) {
      succeeded = false
      headline = isAlive ? `the server was not ready within ${duration} ms` : 'the server ended before it was ready'
    }
    const begun = performance.now()
    if (succeeded && load !== undefined) {
      const result = await run('sh', ['-c', load], { stdio: 'ignore', signal: end.signal })
      // a load that is still running at the end of the duration is stopped
      succeeded = result.status === 0 || (end.signal.aborted && isAlive)
      if (!succeeded) headline = `the load failed: ${result.verdict.headline}`
    } else if (succeeded) {
      await new Promise<void>((resolve) => {
        if (end.signal.aborted) resolve()
        else end.signal.addEventListener('abort', () => resolve())
      })
    }
    const durationMs = performance.now() - begun
    if (!isAlive) headline = 'the server ended before its load'
    return { succeeded: succeeded && isAlive, durationMs, headline }
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', stop)
    await job.stop()
    await ended
  }
}

function describeTrial(
  result: Result,
  purpose: Trial['purpose'],
  limits: TrialLimits,
  samples: UseSample[],
  stopped: boolean,
  served: Served | undefined,
): Omit<Trial, 'isHopeless'> {
  const { usage, status } = result
  const most = (of: (sample: UseSample) => number) => samples.reduce((max, sample) => Math.max(max, of(sample)), 0)
  const { oomKills = 0 } = usage
  return {
    purpose,
    limits,
    completed: served ? served.succeeded && oomKills === 0 : status === 0 && result.reason === 'exit',
    stopped,
    headline: served?.headline || result.verdict.headline,
    status,
    durationMs: served?.durationMs ?? result.durationMs,
    peak: usage.memoryPeak,
    kept: most(({ kept }) => kept),
    working: most(({ working }) => working),
    reclaimable: most(({ memory, kept }) => memory - kept),
    cpuUsec: usage.cpuUsec ?? 0,
    pidsPeak: usage.pidsPeak,
    oomKills: result.reason === 'oom' ? Math.max(1, oomKills) : oomKills,
    limitHits: usage.memoryLimitHits ?? 0,
    throttledUsec: usage.throttledUsec ?? 0,
    memoryWaitUsec: usage.pressure?.memory?.someUsec,
    ioWaitUsec: usage.pressure?.io?.someUsec,
    cpuWaitUsec: usage.pressure?.cpu?.someUsec ?? 0,
    io: usage.io,
    samples,
  }
}
