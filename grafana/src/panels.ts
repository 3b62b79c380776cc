/** Panels of a dashboard, laid out from left to right. */
import type { Panel } from '@grafana/schema';

/** Name of the data source that grafana/provisioning makes. */
export const DATA_SOURCE = { type: 'prometheus', uid: 'cqlock-prometheus' };
const WIDTH = 24;
const HEIGHT = 8;

/** One query and what its lines are called. */
export interface Query {
  readonly expr: string;
  readonly legend: string;
}

/** What a panel shows. */
export interface PanelSpec {
  readonly title: string;
  readonly description: string;
  readonly unit: string;
  readonly queries: readonly Query[];
  /** stat: the last value alone. */
  readonly kind?: 'timeseries' | 'stat' | 'table';
  /** Of 24 columns; 8 if not given. */
  readonly width?: number;
}

/** Lays panels out in the order given. */
export function layOut(specs: readonly PanelSpec[]): Panel[] {
  let x = 0;
  let y = 0;
  return specs.map((spec, index) => {
    const w = spec.width ?? 8;
    if (x + w > WIDTH) {
      x = 0;
      y += HEIGHT;
    }
    const panel = panelOf(spec, index + 1, { x, y, w, h: HEIGHT });
    x += w;
    return panel;
  });
}

function panelOf(
  spec: PanelSpec,
  id: number,
  gridPos: { x: number; y: number; w: number; h: number },
): Panel {
  const kind = spec.kind ?? 'timeseries';
  return {
    id,
    type: kind,
    title: spec.title,
    description: spec.description,
    datasource: DATA_SOURCE,
    gridPos,
    targets: spec.queries.map(({ expr, legend }, index) => ({
      refId: String.fromCharCode(65 + index),
      datasource: DATA_SOURCE,
      expr,
      legendFormat: legend,
      ...(kind === 'timeseries' ? {} : { instant: true, range: false }),
    })),
    fieldConfig: { defaults: { unit: spec.unit, min: 0 }, overrides: [] },
    options: OPTIONS[kind],
  };
}

/** All options that Grafana's own types call required, also where they are its defaults. */
const OPTIONS = {
  timeseries: {
    legend: { displayMode: 'list', placement: 'bottom', showLegend: true, calcs: [] },
    tooltip: { mode: 'multi', sort: 'desc' },
  },
  stat: {
    graphMode: 'area',
    colorMode: 'value',
    justifyMode: 'auto',
    textMode: 'auto',
    wideLayout: true,
    showPercentChange: false,
    percentChangeColorMode: 'standard',
    orientation: 'auto',
    reduceOptions: { calcs: ['lastNotNull'], fields: '', values: false },
  },
  table: { frameIndex: 0, showHeader: true },
};
