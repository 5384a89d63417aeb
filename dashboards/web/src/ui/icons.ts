/** Paths of the icons, drawn as strokes in a box of 20 by 20. */
export const icons = {
  overview: 'M3 16V9M8 16V4M13 16v-5M18 16V7',
  servers: 'M3 4h14v5H3zM3 11h14v5H3zM6 6.5h.01M6 13.5h.01',
  explore: 'M2 15l5-6 4 3 7-8M14 4h4v4',
  export: 'M10 3v9M6.5 8.5L10 12l3.5-3.5M3 16h14',
  modules: 'M3 6.5L10 3l7 3.5v7L10 17l-7-3.5zM3 6.5L10 10l7-3.5M10 10v7',
  team: 'M7 9a3 3 0 1 0 0-6 3 3 0 0 0 0 6zM1.5 17a5.5 5.5 0 0 1 11 0M13 3.4a3 3 0 0 1 0 5.2M15 12a5.5 5.5 0 0 1 3.5 5',
  key: 'M8 12a4 4 0 1 1 3.5-5.9L18 6v4h-3v3h-3v-3l-.6-.2A4 4 0 0 1 8 12zM7 8h.01',
  clock: 'M10 17.5a7.5 7.5 0 1 0 0-15 7.5 7.5 0 0 0 0 15zM10 6v4.5l3 1.5',
  audit: 'M5 2.5h7l3.5 3.5v11.5H5zM8 9h5M8 12.5h5',
  health: 'M2 10h4l2-5 4 10 2-5h4',
  shield: 'M10 2.5l6.5 2.5v4.5c0 4-2.7 6.6-6.5 8-3.8-1.4-6.5-4-6.5-8V5z',
  account: 'M10 10a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7zM3.5 17.5a6.5 6.5 0 0 1 13 0',
  menu: 'M3 5h14M3 10h14M3 15h14',
  close: 'M5 5l10 10M15 5L5 15',
  down: 'M5 8l5 5 5-5',
  search: 'M9 15A6 6 0 1 0 9 3a6 6 0 0 0 0 12zM13.5 13.5L18 18',
  copy: 'M7 7h10v10H7zM4 13H3V3h10v1',
  plus: 'M10 4v12M4 10h12',
  check: 'M4 10.5l4 4 8-9',
  rocket:
    'M12 13l-5-5c1.5-3.5 4-5.5 9.5-5.5C16.500 8 14.500 10.500 12 13zM7 8l-3 .5-1.500 2 3 .500M12 13l-.5 3-2 1.500-.500-3',
  link: 'M8.500 11.500a3.500 3.500 0 0 0 5 0l3-3a3.500 3.500 0 0 0-5-5l-1 1M11.500 8.500a3.500 3.500 0 0 0-5 0l-3 3a3.500 3.500 0 0 0 5 5l1-1',
} as const

export type IconName = keyof typeof icons
