"""Line plots as SVG, in colours that show on light and on dark pages."""

from math import log10

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 640, 300, 70, 150, 34, 46
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#b8860b")


def _ticks(low, high, logarithmic):
    if logarithmic:
        return [10**power for power in range(round(log10(low)), round(log10(high)) + 1)]
    step = 10 ** int(log10(high)) if high >= 1 else 0.1
    while high / step > 6:
        step *= 2
    while high / step < 3:
        step /= 2
    return [step * i for i in range(int(high / step) + 1)]


def _number(value):
    return f"{value:,.0f}" if value >= 10 or value == int(value) else f"{value:.1f}"


def lines(title, x_name, y_name, series, logarithmic=True):
    """An SVG of `{name: [(x, y), …]}`; the y axis begins at zero."""
    points = [point for line in series.values() for point in line]
    low, high = min(x for x, _ in points), max(x for x, _ in points)
    top = max(y for _, y in points) * 1.1
    across, down = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM

    def at(x, y):
        part = (log10(x) - log10(low)) / (log10(high) - log10(low)) if logarithmic else (x - low) / (high - low)
        return LEFT + across * part, TOP + down * (1 - y / top)

    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12" fill="#888">',
        f'<text x="{LEFT}" y="18" font-size="14">{title}</text>',
        f'<text x="{LEFT + across / 2:.0f}" y="{HEIGHT - 8}" text-anchor="middle">{x_name}</text>',
        f'<text transform="translate(14 {TOP + down / 2:.0f}) rotate(-90)" text-anchor="middle">{y_name}</text>',
    ]
    for value in _ticks(0, top, False):
        y = at(low, value)[1]
        out.append(f'<path d="M{LEFT} {y:.1f}H{LEFT + across}" stroke="#888" stroke-opacity=".3"/>')
        out.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{_number(value)}</text>')
    for value in _ticks(low, high, True) if logarithmic else sorted({x for x, _ in points}):
        x = at(value, 0)[0]
        out.append(f'<text x="{x:.1f}" y="{TOP + down + 18}" text-anchor="middle">{_number(value)}</text>')
    ends = []
    for (name, line), colour in zip(series.items(), COLOURS):
        path = "L".join("{:.1f} {:.1f}".format(*at(*point)) for point in line)
        out.append(f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        out += ['<circle cx="{:.1f}" cy="{:.1f}" r="3" fill="{}"/>'.format(*at(*point), colour) for point in line]
        ends.append([at(*line[-1])[1] + 4, name, colour])
    ends.sort()
    for before, end in zip(ends, ends[1:]):
        end[0] = max(end[0], before[0] + 15)
    out += [f'<text x="{LEFT + across + 8}" y="{y:.1f}" fill="{colour}">{name}</text>' for y, name, colour in ends]
    return "\n".join([*out, "</svg>", ""])
