// SPDX-License-Identifier: Apache-2.0
// Runs the screen of hutch top and hutch replay: keys, signals, resizing, and the passing of time.
import { wantsColor } from '../../verdict/format-result.ts'
import { type Key, parseKeys } from '../terminal/keys.ts'
import { openScreen } from '../terminal/screen.ts'
import { type Frame, listHeight } from './frame.ts'
import { makeRows } from './rows.ts'
import { type Actions, press, type State } from './state.ts'
import { drawState, type Shown, type Words } from './view.ts'

/** What is on the screen. */
export interface Source {
  /** The two looks that are shown. */
  shown(): Shown
  words?(): Words
  /** Whether a key was for it; all others are for the list. */
  press?(key: Key): boolean
  /** Time went on: whether there is something new to show. */
  tick(): boolean
  /** Milliseconds between two ticks, and until the first, if that is to be sooner. */
  every: number
  first?: number
}

/** For what is done meanwhile. */
export interface Loop {
  redraw(): void
  /** Ends it with this error. */
  fail(error: unknown): void
}

const signals = { SIGHUP: 1, SIGINT: 2, SIGQUIT: 3, SIGTERM: 15 } as const

/** Until a key or a signal ends it; then the exit status. */
export function runLoop(state: State, source: Source, actions: (loop: Loop) => Actions): Promise<number> {
  const color = wantsColor(process.stdout)
  return new Promise((resolve, reject) => {
    const frame = (): Frame => ({ rows: screen.rows, columns: screen.columns, color })
    const draw = () => screen.draw(drawState(state, source.shown(), frame(), source.words?.()))
    const end = (act: () => void) => {
      clearInterval(timer)
      clearTimeout(first)
      screen.close()
      act()
    }
    /** An error during display is reported on the restored terminal. */
    const guarded = (work: () => void) => {
      try {
        work()
      } catch (error) {
        end(() => reject(error))
      }
    }
    const redraw = () => guarded(draw)
    const does = actions({ redraw, fail: (error) => end(() => reject(error)) })
    /** False when it ends or stops. */
    const take = (key: Key): boolean => {
      if (key === 'redraw') screen.forget()
      if (key !== 'interrupt' && source.press?.(key)) return true
      const { before, now } = source.shown()
      const what = press(state, key, listHeight(frame()), now, does)
      if (what === 'quit') end(() => resolve(0))
      else if (what === 'suspend') screen.suspend()
      else state.list = makeRows(before, now, state.choice)
      return what === undefined
    }
    const screen = openScreen({
      typed: (text) =>
        guarded(() => {
          if (parseKeys(text).every(take)) draw()
        }),
      resized: redraw,
      over: () => end(() => resolve(0)),
    })
    for (const [signal, number] of Object.entries(signals)) process.once(signal, () => end(() => resolve(128 + number)))
    const tick = () =>
      guarded(() => {
        if (source.tick()) draw()
      })
    const timer = setInterval(tick, source.every)
    const first = source.first === undefined ? undefined : setTimeout(tick, Math.min(source.every, source.first))
    redraw()
  })
}
