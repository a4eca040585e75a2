// SPDX-License-Identifier: Apache-2.0
// Event emitters, as far as hutch uses them.

type Listener = (...args: never[]) => void
interface Entry {
  listener: Listener
  once: boolean
}

export class EventEmitter {
  readonly _listeners = new Map<string, Entry[]>()

  on(event: string, listener: Listener): this {
    return this._add(event, { listener, once: false })
  }
  addListener(event: string, listener: Listener): this {
    return this.on(event, listener)
  }
  once(event: string, listener: Listener): this {
    return this._add(event, { listener, once: true })
  }
  off(event: string, listener: Listener): this {
    const entries = this._listeners.get(event) ?? []
    const at = entries.findLastIndex((entry) => entry.listener === listener)
    if (at >= 0) this._listeners.set(event, entries.toSpliced(at, 1))
    return this
  }
  removeListener(event: string, listener: Listener): this {
    return this.off(event, listener)
  }
  removeAllListeners(event: string): this {
    this._listeners.delete(event)
    return this
  }
  listenerCount(event: string): number {
    return this._listeners.get(event)?.length ?? 0
  }
  /** Calls the listeners of an event. An event `error` without a listener throws its error. */
  emit(event: string, ...args: unknown[]): boolean {
    const entries = this._listeners.get(event) ?? []
    if (entries.length === 0 && event === 'error') throw args[0]
    for (const { listener, once } of entries) {
      if (once) this.off(event, listener)
      ;(listener as (...args: unknown[]) => void).apply(this, args)
    }
    return entries.length > 0
  }

  _add(event: string, entry: Entry): this {
    this._listeners.set(event, [...(this._listeners.get(event) ?? []), entry])
    return this
  }
}

/** Yields the arguments of each event until an event of `close` comes, or throws the error that the emitter emits. */
export async function* on(
  emitter: EventEmitter,
  event: string,
  options: { close?: string[]; signal?: AbortSignal } = {},
): AsyncGenerator<unknown[], void, undefined> {
  const waiting: unknown[][] = []
  let ended: { error?: unknown } | undefined
  let wake = () => {}
  const came = (...args: unknown[]) => {
    waiting.push(args)
    wake()
  }
  const end = (how: { error?: unknown }) => {
    ended ??= how
    wake()
  }
  const listeners: [string, Listener][] = [
    [event, came as Listener],
    ['error', ((error: unknown) => end({ error })) as Listener],
    ...(options.close ?? []).map((name): [string, Listener] => [name, () => end({})]),
  ]
  for (const [name, listener] of listeners) emitter.on(name, listener)
  try {
    for (;;) {
      while (waiting.length > 0) yield waiting.shift()!
      if (ended && 'error' in ended) throw ended.error
      if (ended) return
      await new Promise<void>((resolve) => {
        wake = resolve
      })
    }
  } finally {
    for (const [name, listener] of listeners) emitter.off(name, listener)
  }
}
