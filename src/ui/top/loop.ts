// SPDX-License-Identifier: Apache-2.0
// Runs the event loop of hutch top and hutch replay: keys, signals, changes of the window size and ticks.
import { wantsColor } from '../../verdict/format-result.ts'
import { type Key, parseKeys } from '../terminal/keys.ts'
import { openScreen } from '../terminal/screen.ts'
import { type Frame, listHeight } from './frame.ts'
import { makeRows } from './rows.ts'
import { type Actions, press, type State } from './state.ts'
import { drawState, type ViewContent, type ViewWords } from './view.ts'

/** Where the screen's content comes from: live samples, or a recording. */
interface Source {
  /** Returns the two samples that are shown. */
  shown(): ViewContent
  words?(): ViewWords
  /** Handles a key. Returns false for an unknown key, which the list then handles. */
  press?(key: Key): boolean
  /** Moves on in time. Returns true if the content has changed. */
  tick(): boolean
  /** Milliseconds between two ticks. `first` is the time until the first tick, if that is shorter than `every`. */
  every: number
  first?: number
}

/** The running loop, for actions that end asynchronously. */
interface Loop {
  redraw(): void
  /** Ends the loop with this error. */
  fail(error: unknown): void
}

const signals = { SIGHUP: 1, SIGINT: 2, SIGQUIT: 3, SIGTERM: 15 } as const

/** Runs the loop until a key or a signal ends it. Resolves with the exit status. */
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
    /** Runs a function. If it fails, restores the terminal before the error is printed. */
    const guarded = (work: () => void) => {
      try {
        work()
      } catch (error) {
        end(() => reject(error))
      }
    }
    const redraw = () => guarded(draw)
    const does = actions({ redraw, fail: (error) => end(() => reject(error)) })
    /** Handles a key. Returns false if the program ends or is stopped by it. */
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
