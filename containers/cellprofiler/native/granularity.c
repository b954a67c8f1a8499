/* A granular spectrum: erosions, reconstruction by dilation on a max-tree, and sums over objects.
 *
 * The max-tree (Salembier, Oliveras and Garrido, IEEE Transactions on Image Processing 7(4), 1998) holds every connected
 * component of every threshold of an image once. It is built by union-find over the sorted pixels (Berger et al., IEEE
 * International Conference on Image Processing, 2007; Carlinet and Geraud, IEEE TIP 23(9), 2014). With it, a
 * reconstruction by dilation is one pass up the tree and one down, for any marker.
 */
#include <math.h>
#include <string.h>

#include "order.h"

static float smaller(float a, float b) { return b < a ? b : a; }
static float larger(float a, float b) { return b > a ? b : a; }

static void lower(float *out, const float *other, int32_t count)
{
    for (int32_t i = 0; i < count; i++)
        out[i] = smaller(out[i], other[i]);
}

/* Erode by a disk: x * x + y * y <= radius * radius. What lies outside of the image does not count.
 * Row by row: `wide` holds the minima over 2 * reach + 1 pixels of a row, and a row of the disk takes one reach. */
void erode_disk(const float *image, int32_t height, int32_t width, int32_t radius, float *wide, float *out)
{
    size_t count = (size_t)height * width;
    memcpy(wide, image, count * sizeof *image);
    for (size_t i = 0; i < count; i++)
        out[i] = INFINITY;
    for (int32_t reach = 0; reach <= radius; reach++) {
        for (int32_t y = 0; reach > 0 && reach < width && y < height; y++) {
            lower(wide + (size_t)y * width + reach, image + (size_t)y * width, width - reach);
            lower(wide + (size_t)y * width, image + (size_t)y * width + reach, width - reach);
        }
        for (int32_t dy = -radius; dy <= radius; dy++) {
            int32_t room = radius * radius - dy * dy;
            if (room < reach * reach || room >= (reach + 1) * (reach + 1))
                continue;
            for (int32_t y = dy < 0 ? -dy : 0; y < height && y + dy < height; y++)
                lower(out + (size_t)y * width, wide + (size_t)(y + dy) * width, width);
        }
    }
}

static int32_t find_root(int32_t *above, int32_t pixel)
{
    while (above[pixel] != pixel) {
        above[pixel] = above[above[pixel]];
        pixel = above[pixel];
    }
    return pixel;
}

static void join(int32_t *parent, int32_t *above, int32_t pixel, int32_t neighbour)
{
    if (above[neighbour] < 0)
        return; /* lower, or not yet seen */
    int32_t root = find_root(above, neighbour);
    if (root != pixel) {
        parent[root] = pixel;
        above[root] = pixel;
    }
}

/* Build the max-tree of an image, 4-connected. Nodes are numbered from the root (0), parents before children.
 * Writes each pixel's node and, for each node, its level and parent; returns the number of nodes.
 * `order`, `parent` and `above` hold height * width, `scratch` twice that. */
int32_t build_tree(const float *image, int32_t height, int32_t width, uint64_t *scratch, int32_t *order,
                   int32_t *parent, int32_t *above, int32_t *node, float *level, int32_t *node_parent)
{
    int32_t count = height * width, nodes = 0;
    order_by_value(image, count, scratch, order);
    memset(above, -1, (size_t)count * sizeof *above);
    for (int32_t i = count - 1; i >= 0; i--) {
        int32_t pixel = order[i], x = pixel % width, y = pixel / width;
        parent[pixel] = above[pixel] = pixel;
        if (y > 0)
            join(parent, above, pixel, pixel - width);
        if (x > 0)
            join(parent, above, pixel, pixel - 1);
        if (x < width - 1)
            join(parent, above, pixel, pixel + 1);
        if (y < height - 1)
            join(parent, above, pixel, pixel + width);
    }
    for (int32_t i = 0; i < count; i++) { /* a pixel's parent comes before it */
        int32_t pixel = order[i], up = parent[pixel];
        if (up != pixel && image[up] == image[pixel]) {
            node[pixel] = node[up];
            continue;
        }
        node_parent[nodes] = up == pixel ? 0 : node[up];
        level[nodes] = image[pixel];
        node[pixel] = nodes++;
    }
    return nodes;
}

/* Reconstruct by dilation of `marker` (at most the image, everywhere) under the image that the tree was built of.
 * `highest` and `value` hold one float a node. */
void reconstruct(const float *marker, int32_t count, const int32_t *node, int32_t nodes, const float *level,
                 const int32_t *node_parent, float *highest, float *value, double *out)
{
    for (int32_t k = 0; k < nodes; k++)
        highest[k] = -INFINITY;
    for (int32_t i = 0; i < count; i++)
        highest[node[i]] = larger(highest[node[i]], marker[i]);
    for (int32_t k = nodes - 1; k > 0; k--)
        highest[node_parent[k]] = larger(highest[node_parent[k]], highest[k]);
    value[0] = smaller(level[0], highest[0]);
    for (int32_t k = 1; k < nodes; k++)
        value[k] = larger(value[node_parent[k]], smaller(level[k], highest[k]));
    for (int32_t i = 0; i < count; i++)
        out[i] = value[node[i]];
}

/* Where an axis is sampled: between the source's positions first[i] and second[i], with their weights. */
typedef struct {
    const int32_t *first, *second;
    const double *first_weight, *second_weight;
} Axis;

/* Resample columns [start, end) of one row, bilinearly. `near` and `far` hold one row of the source.
 * The additions come in the order of scipy's map_coordinates. */
static void resample_row(const double *source, int32_t width, Axis rows, Axis columns, int32_t y, int32_t start,
                         int32_t end, double *near, double *far, double *out)
{
    const double *first = source + (size_t)rows.first[y] * width, *second = source + (size_t)rows.second[y] * width;
    for (int32_t x = 0; x < width; x++) {
        near[x] = first[x] * rows.first_weight[y];
        far[x] = second[x] * rows.second_weight[y];
    }
    for (int32_t x = start; x < end; x++) {
        int32_t a = columns.first[x], b = columns.second[x];
        double v = columns.first_weight[x], w = columns.second_weight[x];
        out[x] = 0.0 + near[a] * v + near[b] * w + far[a] * v + far[b] * w;
    }
}

/* Resample an image of `width` columns to out_height * out_width. `scratch` holds 2 * width. */
void resample(const double *source, int32_t width, const int32_t *row_first, const int32_t *row_second,
              const double *row_first_weight, const double *row_second_weight, const int32_t *column_first,
              const int32_t *column_second, const double *column_first_weight, const double *column_second_weight,
              int32_t out_height, int32_t out_width, double *scratch, double *out)
{
    Axis rows = {row_first, row_second, row_first_weight, row_second_weight};
    Axis columns = {column_first, column_second, column_first_weight, column_second_weight};
    for (int32_t y = 0; y < out_height; y++)
        resample_row(source, width, rows, columns, y, 0, out_width, scratch, scratch + width,
                     out + (size_t)y * out_width);
}

/* Add what a resampled image holds under each object: sums[label], pixel by pixel in the order of the rows.
 * A run is (row, first column, one past the last, label), sorted by row. `scratch` holds 2 * width + out_width. */
void sum_resampled(const double *source, int32_t width, const int32_t *row_first, const int32_t *row_second,
                   const double *row_first_weight, const double *row_second_weight, const int32_t *column_first,
                   const int32_t *column_second, const double *column_first_weight,
                   const double *column_second_weight, const int32_t *runs, int32_t run_count, double *scratch,
                   double *sums)
{
    Axis rows = {row_first, row_second, row_first_weight, row_second_weight};
    Axis columns = {column_first, column_second, column_first_weight, column_second_weight};
    double *line = scratch + 2 * (size_t)width;
    for (int32_t i = 0; i < run_count;) {
        int32_t next = i, start = runs[4 * i + 1], end = runs[4 * i + 2];
        for (; next < run_count && runs[4 * next] == runs[4 * i]; next++) {
            start = runs[4 * next + 1] < start ? runs[4 * next + 1] : start;
            end = runs[4 * next + 2] > end ? runs[4 * next + 2] : end;
        }
        resample_row(source, width, rows, columns, runs[4 * i], start, end, scratch, scratch + width, line);
        for (; i < next; i++) {
            double sum = sums[runs[4 * i + 3]];
            for (int32_t x = runs[4 * i + 1]; x < runs[4 * i + 2]; x++)
                sum += line[x];
            sums[runs[4 * i + 3]] = sum;
        }
    }
}
