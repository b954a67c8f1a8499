/* Call every kernel on random pictures and objects, in buffers of exactly the size that is promised.
 *
 *   gcc -g -O1 -fsanitize=address,undefined -fno-sanitize-recover=all fuzz_kernels.c native/*.c -lm && ./a.out 1000
 *
 * The sanitizers end the program at the first byte read or written beyond a buffer and at undefined arithmetic.
 */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void erode_disk(const float *, int32_t, int32_t, int32_t, float *, float *);
int32_t build_tree(const float *, int32_t, int32_t, uint64_t *, int32_t *, int32_t *, int32_t *, int32_t *, float *,
                   int32_t *);
void reconstruct(const float *, int32_t, const int32_t *, int32_t, const float *, const int32_t *, float *, float *,
                 double *);
void resample(const double *, int32_t, const int32_t *, const int32_t *, const double *, const double *,
              const int32_t *, const int32_t *, const double *, const double *, int32_t, int32_t, double *, double *);
void sum_resampled(const double *, int32_t, const int32_t *, const int32_t *, const double *, const double *,
                   const int32_t *, const int32_t *, const double *, const double *, const int32_t *, int32_t,
                   double *, double *);
void haralick_objects(const uint8_t *, const int32_t *, int32_t, const int32_t *, int32_t, int32_t, uint8_t *,
                      int32_t *, int32_t *, double *, int32_t *);
int32_t haralick_image(const uint8_t *, int32_t, int32_t, int32_t, int32_t *, int32_t *, int32_t *, double *);
int32_t dense_ranks(const float *, int32_t, uint64_t *, int32_t *, int32_t *);
void describe(const int64_t *, int64_t, const float *, float, double *, double *, float *, double *);
int64_t colocalize(const int64_t *, int64_t, int32_t, const float *, const int32_t *, const double *, const double *,
                   const float *, const float *, const int32_t *, const double *, const double *, const float *,
                   double *);
void intensity(const int64_t *, int64_t, const float *, const int64_t *, const int64_t *, double *, int64_t *,
               int32_t *);
void sort_objects(const int64_t *, int64_t, const float *, uint64_t *, int32_t *, float *);
void middle_distances(const int64_t *, int64_t, const float *, const double *, double *, double *);
void spread(const int8_t *, int32_t, int32_t, const int32_t *, int32_t, int32_t *, int32_t *, double *);

static int32_t below(int32_t limit) { return limit > 0 ? rand() % limit : 0; }

static void *room(size_t count, size_t size)
{
    void *memory = malloc(count * size);
    if (memory == NULL && count > 0)
        exit(2);
    return memory;
}

#define NEW(type, name, count) type *name = room((size_t)(count), sizeof(type))

/* Fill a picture: noise, few levels, blank, saturated, or with negative values and infinite ones. */
static void paint(float *picture, int32_t count)
{
    int kind = below(6), levels = 1 + below(9);
    for (int32_t i = 0; i < count; i++) {
        float value = (float)rand() / (float)RAND_MAX;
        picture[i] = kind == 0 ? value : kind == 1 ? floorf(value * levels) / levels : kind == 2 ? 0.0f
                   : kind == 3 ? fminf(1.0f, value * 9) : kind == 4 ? value - 0.5f : value < 0.1f ? -INFINITY : -0.0f;
    }
}

static void fuzz_tree(int32_t height, int32_t width)
{
    int32_t count = height * width;
    NEW(float, image, count); NEW(float, marker, count); NEW(float, wide, count); NEW(float, level, count);
    NEW(uint64_t, scratch, 2 * count); NEW(int32_t, order, count); NEW(int32_t, parent, count);
    NEW(int32_t, above, count); NEW(int32_t, node, count); NEW(int32_t, node_parent, count); NEW(double, out, count);
    paint(image, count);
    erode_disk(image, height, width, below(14), wide, marker);
    int32_t nodes = build_tree(image, height, width, scratch, order, parent, above, node, level, node_parent);
    NEW(float, highest, nodes); NEW(float, value, nodes);
    reconstruct(marker, count, node, nodes, level, node_parent, highest, value, out);
    for (int32_t i = 0; i < count; i++)
        if (!(out[i] >= marker[i] && out[i] <= image[i]))
            abort();
    free(image); free(marker); free(wide); free(level); free(scratch); free(order); free(parent); free(above);
    free(node); free(node_parent); free(out); free(highest); free(value);
}

static void fuzz_resample(int32_t height, int32_t width)
{
    int32_t out_height = 1 + below(40), out_width = 1 + below(40), run_count = 0;
    NEW(double, source, height * width); NEW(double, out, out_height * out_width);
    NEW(double, scratch, 2 * width + out_width); NEW(double, weights, out_height + out_width);
    NEW(int32_t, rows, out_height); NEW(int32_t, columns, out_width); NEW(int32_t, runs, 4 * out_height * 3);
    double sums[5] = {0};
    for (int32_t i = 0; i < height * width; i++)
        source[i] = rand();
    for (int32_t i = 0; i < out_height + out_width; i++)
        weights[i] = 0.5;
    for (int32_t i = 0; i < out_height; i++)
        rows[i] = below(height);
    for (int32_t i = 0; i < out_width; i++)
        columns[i] = below(width);
    resample(source, width, rows, rows, weights, weights, columns, columns, weights, weights, out_height, out_width,
             scratch, out);
    for (int32_t y = 0; y < out_height; y++)
        for (int32_t k = below(4); k > 0; k--, run_count++) {
            int32_t start = below(out_width), run[4] = {y, start, start + 1 + below(out_width - start), below(5)};
            memcpy(runs + 4 * run_count, run, sizeof run);
        }
    sum_resampled(source, width, rows, rows, weights, weights, columns, columns, weights, weights, runs, run_count,
                  scratch, sums);
    free(source); free(out); free(scratch); free(weights); free(rows); free(columns); free(runs);
}

static void fuzz_haralick(int32_t height, int32_t width)
{
    int32_t objects = 1 + below(6), levels = 1 + below(256), largest = 0;
    NEW(uint8_t, grey, height * width); NEW(int32_t, labels, height * width); NEW(int32_t, boxes, 4 * objects);
    NEW(double, features, 52 * objects); NEW(int32_t, state, objects); NEW(int32_t, seen, 65536);
    int32_t *pairs = calloc(65536, sizeof *pairs);
    for (int32_t i = 0; i < height * width; i++) {
        grey[i] = (uint8_t)below(levels);
        labels[i] = below(objects + 1);
    }
    for (int32_t k = 0; k < objects; k++) {
        int32_t top = below(height), left = below(width);
        int32_t box[4] = {top, left, top + below(height - top + 1), left + below(width - left + 1)};
        memcpy(boxes + 4 * k, box, sizeof box);
        int32_t area = (box[2] - box[0]) * (box[3] - box[1]);
        largest = area > largest ? area : largest;
    }
    NEW(uint8_t, crop, largest);
    haralick_objects(grey, labels, width, boxes, objects, 1 + below(12), crop, pairs, seen, features, state);
    int32_t *counts = calloc(4 * 65536, sizeof *counts);
    haralick_image(grey, height, width, 1 + below(12), counts, pairs, seen, features);
    for (int32_t i = 0; i < 4 * 65536; i++)
        if (counts[i] != 0)
            abort();
    free(counts);
    for (int32_t i = 0; i < 65536; i++)
        if (pairs[i] != 0)
            abort();
    free(grey); free(labels); free(boxes); free(features); free(state); free(seen); free(pairs); free(crop);
}

/* Cut `count` pixels among objects; some have none. */
static int64_t *cut(int64_t objects, int32_t count)
{
    NEW(int64_t, starts, objects + 1);
    starts[0] = 0;
    for (int64_t k = 1; k < objects; k++)
        starts[k] = starts[k - 1] + below(count - (int32_t)starts[k - 1] + 1);
    starts[objects] = count;
    return starts;
}

static void fuzz_intensity(int32_t count)
{
    int64_t objects = 1 + below(6), *starts = cut(objects, count);
    NEW(float, values, count); NEW(float, sorted, count); NEW(uint64_t, scratch, 2 * count);
    NEW(int32_t, order, count); NEW(int64_t, x, count); NEW(double, sums, 6 * objects); NEW(int64_t, place, objects);
    NEW(int32_t, tied, objects); NEW(double, median, objects); NEW(double, low, objects); NEW(double, high, objects);
    paint(values, count);
    for (int32_t i = 0; i < count; i++) {
        values[i] = isinf(values[i]) ? -1.0f : values[i];
        x[i] = below(2000);
    }
    intensity(starts, objects, values, x, x, sums, place, tied);
    sort_objects(starts, objects, values, scratch, order, sorted);
    for (int64_t k = 0; k < objects; k++) {
        int64_t size = starts[k + 1] - starts[k];
        median[k] = size ? sorted[starts[k] + size / 2] : 0.0;
        for (int64_t i = 1; i < size; i++)
            if (sorted[starts[k] + i] < sorted[starts[k] + i - 1])
                abort();
    }
    middle_distances(starts, objects, sorted, median, low, high);
    for (int64_t k = 0; k < objects; k++)
        if (!(low[k] >= 0 && high[k] >= low[k] && high[k] < INFINITY))
            abort();
    free(starts); free(values); free(sorted); free(scratch); free(order); free(x); free(sums); free(place);
    free(tied); free(median); free(low); free(high);
}

static void fuzz_colocalization(int32_t count)
{
    int64_t objects = 1 + below(6), *starts = cut(objects, count);
    NEW(float, a, count); NEW(float, b, count); NEW(uint64_t, scratch, 2 * count);
    NEW(int32_t, order, count); NEW(int32_t, ranks_a, count); NEW(int32_t, ranks_b, count);
    NEW(double, mean, objects); NEW(double, deviation, objects); NEW(float, threshold, objects);
    NEW(double, total, objects);
    double *sums = calloc((size_t)objects * 8, sizeof *sums);
    paint(a, count);
    paint(b, count);
    int32_t levels = dense_ranks(a, count, scratch, order, ranks_a);
    int32_t others = dense_ranks(b, count, scratch, order, ranks_b);
    describe(starts, objects, a, 0.15f, mean, deviation, threshold, total);
    colocalize(starts, objects, levels > others ? levels : others, a, ranks_a, mean, deviation, threshold, b, ranks_b,
               mean, deviation, threshold, sums);
    free(starts); free(a); free(b); free(scratch); free(order); free(ranks_a); free(ranks_b); free(mean);
    free(deviation); free(threshold); free(total); free(sums);
}

static void fuzz_spread(int32_t height, int32_t width)
{
    int32_t count = height * width, dense = 1 + below(10), seeds = 0;
    NEW(int8_t, mask, count); NEW(int32_t, buckets, 3 * count); NEW(int32_t, labels, count);
    NEW(double, distances, count); NEW(int32_t, places, count);
    for (int32_t i = 0; i < count; i++) {
        mask[i] = below(10) < dense;
        labels[i] = mask[i] && below(count) < 5 ? 1 + below(9) : 0;
        distances[i] = labels[i] ? 0.0 : -1.0;
        if (labels[i])
            places[seeds++] = i;
    }
    spread(mask, height, width, places, seeds, buckets, labels, distances);
    for (int32_t i = 0; i < count; i++)
        if (i % width && mask[i] && mask[i - 1] && fabs(distances[i] - distances[i - 1]) > 1 + 1e-9)
            abort(); /* neighbours are a step from each other, or neither is reached */
    free(mask); free(buckets); free(labels); free(distances); free(places);
}

int main(int argc, char **argv)
{
    int rounds = argc > 1 ? atoi(argv[1]) : 100;
    for (int round = 0; round < rounds; round++) {
        srand((unsigned)round);
        int32_t height = 1 + below(30), width = 1 + below(30);
        fuzz_tree(height, width);
        fuzz_resample(height, width);
        fuzz_haralick(height, width);
        fuzz_spread(height, width);
        fuzz_intensity(height * width);
        fuzz_colocalization(height * width);
    }
    printf("%d rounds\n", rounds);
    return 0;
}
