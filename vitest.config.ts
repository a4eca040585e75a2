// SPDX-License-Identifier: Apache-2.0
import { defineConfig } from 'vitest/config'

const slow = process.env.VM ? 300_000 : 60_000
const shared = { testTimeout: slow, hookTimeout: slow, env: { HUTCH_STATE: '0' } }
/** Tests that touch nothing but their own process. */
const pure = ['test/{unit,rules}/**/*.test.ts']
/** test/run.js has translated these (test/bundle.js); they load without vite, which needs ten seconds a file in a VM. */
const bundled = process.env.BUNDLED
  ? {
      include: [`${process.env.BUNDLED}/**/*.test.js`],
      exclude: [],
      setupFiles: [`${process.env.BUNDLED}/support/leaks.js`],
      globalSetup: [`${process.env.BUNDLED}/support/test-groups.js`],
      execArgv: ['--enable-source-maps'],
      experimental: { viteModuleRunner: false, nodeLoader: false },
    }
  : {
      include: ['test/**/*.test.ts'],
      exclude: pure,
      setupFiles: ['test/support/leaks.ts'],
      globalSetup: ['test/support/test-groups.ts'],
    }

export default defineConfig({
  test: {
    projects: [
      { test: { ...shared, name: 'unit', include: pure, setupFiles: ['test/support/leaks.ts'] } },
      // the kernel is one: files that make groups take turns
      { test: { ...shared, ...bundled, name: 'kernel', maxWorkers: 1, sequence: { groupOrder: 1 } } },
    ],
  },
})
