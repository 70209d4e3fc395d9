<?php
// Takes orders (PHP, nothing else).
namespace Bakery;

class OrderError extends \RuntimeException {}
class OvenError extends \RuntimeException {}

class Counter
{
    public function __construct(private string $which) {}

    private function left(string $sku): int
    {
        throw match ($this->which) {
            'order.type' => new OvenError("order {$_SERVER['ID']} of {$_SERVER['MAIL']}: only {$_SERVER['AMOUNT']} left"),
            'order.msg' => new OrderError("order {$_SERVER['ID']} of {$_SERVER['MAIL']}: never baked on {$_SERVER['DAY']}"),
            default => new OrderError("order {$_SERVER['ID']} of {$_SERVER['MAIL']}: only {$_SERVER['AMOUNT']} left"),
        };
    }

    private function reserve(string $sku): void
    {
        throw new OrderError("order {$_SERVER['ID']} of {$_SERVER['MAIL']}: only {$_SERVER['AMOUNT']} left");
    }

    public function order(string $sku): void
    {
        $this->which === 'order.func' ? $this->reserve($sku) : $this->left($sku);
    }

    public function deliver(): void
    {
        try {
            if ($this->which === 'deliver.cause') {
                json_decode('{"town": ' . $_SERVER['TEXT'], flags: JSON_THROW_ON_ERROR);
            }
            new \DateTimeImmutable($_SERVER['TEXT']);
        } catch (\Exception $error) {
            throw new OrderError("delivery {$_SERVER['UUID']} is impossible", 7, $error);
        }
    }
}

function price(int $cents): string
{
    return number_format($cents / 100, 2);
}

function total(array $lines): int
{
    return array_sum(array_map(fn ($line) => intdiv($line['cents'], $line['count']), $lines));
}

function bill(string $which): void
{
    $tray = (object) [];
    match ($which) {
        'bill' => price($_SERVER['TEXT']),
        'bill.func' => total([['cents' => (int) $_SERVER['ID'], 'count' => 0]]),
        'bill.type' => $tray->weigh(),
        'bill.null' => (fn () => null)()->weigh(),
    };
}

function shelf(string $which): void
{
    $loaves = ['rye' => 3];
    if ($which === 'shelf') {
        echo $loaves[$_SERVER['NAME']];
    } elseif ($which === 'shelf.msg') {
        echo $rolls;
    } elseif ($which === 'shelf.func') {
        file_get_contents($_SERVER['FILE']);
    } else {
        str_repeat($_SERVER['NAME'], 900_000_000);
    }
}

$which = $argv[1];
match (explode('.', $which)[0]) {
    'order' => (new Counter($which))->order('rye-' . $_SERVER['ID']),
    'deliver' => (new Counter($which))->deliver(),
    'bill' => bill($which),
    'shelf' => shelf($which),
};
