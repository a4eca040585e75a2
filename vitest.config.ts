// SPDX-License-Identifier: Apache-2.0
import { readdirSync, readFileSync } from 'node:fs'
import { defineConfig } from 'vitest/config'

const slow = process.env.VM ? 300_000 : 60_000
const shared = { testTimeout: slow, hookTimeout: slow, env: { HUTCH_STATE: '0' } }
/** Tests that touch nothing but their own process. */
const pure = ['test/{unit,rules}/**/*.test.ts']
/** test/run.js has translated the others (test/bundle.js); they load without vite, which needs ten seconds a file in a VM. */
const bundled = process.env.BUNDLED
const place = bundled ?? 'test'
const extension = bundled ? 'js' : 'ts'
const setup = {
  exclude: bundled ? [] : pure,
  setupFiles: [`${place}/support/leaks.${extension}`],
  globalSetup: [`${place}/support/test-groups.${extension}`],
  ...(bundled && {
    execArgv: ['--enable-source-maps'],
    experimental: { viteModuleRunner: false, nodeLoader: false },
  }),
}

/** Tests of times, and of names that others use, too: a line in the file says so. */
const alone = readdirSync('test', { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.test.ts') && readFileSync(`test/${name}`, 'utf8').includes('\n// Runs alone: '))
  .map((name) => `${place}/${name.replace(/ts$/, extension)}`)
/** Callers of OCI runtimes, in a root of their own that is made once: `npm run test:engines`. */
const engines = [`${place}/engines/**/*.test.${extension}`]
/** Minutes of runs: `npm run test:advise`. */
const long = [`${place}/advise/long.test.${extension}`]
const others = {
  include: [`${place}/**/*.test.${extension}`],
  exclude: [...setup.exclude, ...alone, ...engines, ...long],
}

export default defineConfig({
  test: {
    projects: [
      { test: { ...shared, name: 'unit', include: pure, setupFiles: ['test/support/leaks.ts'] } },
      // they mostly wait for the kernel: two at once keep one processor busy. A VM has one.
      {
        test: {
          ...shared,
          ...setup,
          ...others,
          name: 'kernel',
          maxWorkers: process.env.VM ? 1 : 2,
          sequence: { groupOrder: 1 },
        },
      },
      { test: { ...shared, ...setup, name: 'alone', include: alone, maxWorkers: 1, sequence: { groupOrder: 2 } } },
      { test: { ...shared, ...setup, name: 'advise', include: long, maxWorkers: 1, sequence: { groupOrder: 4 } } },
      {
        test: {
          ...shared,
          ...setup,
          name: 'engines',
          include: engines,
          maxWorkers: process.env.VM ? 1 : 2,
          sequence: { groupOrder: 3 },
        },
      },
    ],
  },
})
