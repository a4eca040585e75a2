// SPDX-License-Identifier: Apache-2.0
// Passes each event of the C core to the job or trigger that it belongs to. Called by run/, pool/ and cgroup/watch.ts.
import { decodeEvent, type NativeEvent } from './events.ts'
import { type Native, native } from './native.ts'

type Handler = (event: NativeEvent) => void

const handlers = new Map<number, Handler>()
let listening = false

/** Returns the C core. Its events are passed to the jobs and triggers of this thread. */
export function watchedNative(): Native {
  const addon = native()
  if (!listening) addon.listen((job, ...numbers) => handlers.get(job)?.(decodeEvent(...numbers)))
  listening = true
  return addon
}

/** Passes the events of a job or trigger to `handler` until `unwatchJob` is called. */
export function watchJob(job: number, handler: Handler): void {
  handlers.set(job, handler)
}

export function unwatchJob(job: number): void {
  handlers.delete(job)
}
