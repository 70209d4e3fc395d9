<?php
// Keeps maps (PHP, nothing else).
namespace Bakery\Store;

final class MapError extends \DomainException {}
final class SheetError extends \DomainException {}
enum Scale: int { case Town = 10000; case County = 50000; }

abstract class Shelf
{
    public function __construct(protected string $which) {}
    abstract protected function pick(string $number): array;
    public static function named(string $which): static { return new static($which); }
    public function __call(string $name, array $arguments): mixed
    {
        return $this->pick(...$arguments);
    }
}

trait Draws
{
    protected function pick(string $number): array
    {
        [$id, $mail, $place, $amount] = [$_SERVER['ID'], $_SERVER['MAIL'], $_SERVER['TEXT'], $_SERVER['AMOUNT']];
        throw match ($this->which) {
            'fold.type' => new SheetError("sheet $id of \"$place\" has $amount holes ($mail)"),
            'fold.msg' => new MapError("sheet $id of \"$place\" has no legend ($mail)"),
            default => new MapError("sheet $id of \"$place\" has $amount holes ($mail)"),
        };
    }
}

class Drawer extends Shelf
{
    use Draws;
    public function fold(): array { return $this->{$this->which === 'fold.func' ? 'spare' : 'take'}($_SERVER['ID']); }
    private function spare(string $number): array { return $this->pick($number); }
}

function scaled(string $which): mixed
{
    return match ($which) {
        'scale' => Scale::from((int) $_SERVER['ID']),
        'scale.type' => strlen(),
        'scale.func' => constant("Bakery\Store\Scale::{$_SERVER['NAME']}"),
        'scale.msg' => (fn (int $size): int => $size)($_SERVER['TEXT']),
    };
}

function walked(string $which): \Generator
{
    foreach ([1, 2] as $row) {
        $rows = [$row => $which === 'walk.type' ? new \DateTimeZone($_SERVER['TEXT']) : null];
        yield $rows[$row]['name'] ?? ($which === 'walk.msg' ? $rows[$row]->size() : throw new \LengthException("row $row of {$_SERVER['FILE']} is empty"));
    }
}

function kept(string $which): void
{
    $store = new \PDO('sqlite::memory:');
    $store->exec('CREATE TABLE maps (id INTEGER PRIMARY KEY, place TEXT NOT NULL UNIQUE)');
    try {
        $store->prepare('INSERT INTO maps VALUES (?, ?)')->execute([(int) $_SERVER['ID'], $which === 'keep.cause' ? null : 'x']);
        $store->prepare($which === 'keep.msg' ? 'INSERT INTO sheets VALUES (?, ?)' : 'INSERT INTO maps VALUES (?, ?)')->execute([(int) $_SERVER['ID'], 'y']);
    } catch (\PDOException $error) {
        throw new \RuntimeException("map {$_SERVER['UUID']} was not kept", 0, $error);
    }
}

match (explode('.', $argv[1])[0]) {
    'fold' => Drawer::named($argv[1])->fold(),
    'scale' => scaled($argv[1]),
    'walk' => iterator_to_array(walked($argv[1])),
    'keep' => kept($argv[1]),
    'read' => $argv[1] === 'read.msg' ? file_get_contents($_SERVER['FILE']) : unserialize($_SERVER['TEXT']),
};
