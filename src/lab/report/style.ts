/** The reports' style sheet. */
export const reportStyle = `
:root { color-scheme: light; }
body { margin: 0; background: #f6f7f9; color: #1f2937; font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
main { max-width: 1060px; margin: 0 auto; padding: 32px 24px 64px; }
h1 { font-size: 28px; line-height: 1.25; margin: 0 0 8px; }
h2 { font-size: 19px; margin: 36px 0 4px; }
p { margin: 4px 0 12px; }
.lead { font-size: 16px; max-width: 860px; }
.quiet { color: #6b7280; font-size: 13px; }
.note { background: #fff7e0; border-left: 4px solid #e0a800; padding: 8px 12px; }
.tiles { display: grid; grid-template-columns: repeat(3, 1fr); gap: 16px; margin: 20px 0; }
.tiles div { background: #fff; border-radius: 8px; border-top: 5px solid; padding: 12px 16px; display: flex; flex-direction: column; }
.tiles b { font-size: 28px; line-height: 1.3; font-variant-numeric: tabular-nums; }
.chart { background: #fff; border-radius: 8px; padding: 12px; overflow: hidden; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; background: #fff; border-radius: 8px; }
th, td { padding: 6px 10px; text-align: left; vertical-align: middle; }
.figures { width: 100%; }
.figures th { font-size: 12px; font-weight: 600; color: #6b7280; border-bottom: 1px solid #e3e6eb; }
.figures tr + tr td { border-top: 1px solid #eef0f3; }
.figures th:not(:first-child), .n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.settings { width: 100%; }
.settings th { width: 170px; font-weight: 500; color: #6b7280; vertical-align: top; }
.heat { width: 100%; font-size: 13px; }
.heat th { font-weight: 500; }
.heat thead th { white-space: nowrap; font-size: 12px; color: #6b7280; border-bottom: 1px solid #e3e6eb; }
.heat tbody { border-bottom: 1px solid #e3e6eb; }
.heat tbody th { white-space: nowrap; line-height: 1.35; }
.heat td { padding: 3px 8px; white-space: nowrap; }
.heat td:nth-last-child(7) { width: 40%; }
.strip { display: block; width: 100%; height: 16px; min-width: 320px; border-radius: 2px; }
.scale { font-size: 12px; color: #6b7280; margin-top: 8px; }
.scale span { display: inline-block; width: 22px; height: 12px; margin: 0 5px 0 14px; vertical-align: -1px; border-radius: 2px; box-shadow: 0 0 0 1px #d6dae0; }
@media (max-width: 720px) { .tiles { grid-template-columns: 1fr; } }
`;
