<?php
// Shows pictures (Monolog and Twig; the ways in which frameworks and sites write an exception down).
namespace App\Service;

require "{$_SERVER['VENDOR']}/Monolog/autoload.php";
require "{$_SERVER['VENDOR']}/Twig/autoload.php";

class PictureMissing extends \DomainException {}
class PictureBroken extends \DomainException {}

class Wall
{
    public function __construct(private string $which) {}

    public function hang(int $id): void
    {
        if (str_ends_with($this->which, '.func')) {
            $this->lookUp($id);
        }
        $this->find($id);
    }

    private function find(int $id): never
    {
        $class = str_ends_with($this->which, '.type') ? PictureBroken::class : PictureMissing::class;
        $what = str_ends_with($this->which, '.msg') ? 'was sold to' : 'was never lent to';
        throw new $class("Picture {$id} $what {$_SERVER['MAIL']}");
    }

    private function lookUp(int $id): never
    {
        throw new PictureMissing("Picture {$id} was never lent to {$_SERVER['MAIL']}");
    }

    public function render(): string
    {
        $filter = str_ends_with($this->which, '.msg') ? '|upper }' : '.frame }}';
        $loader = new \Twig\Loader\ArrayLoader(['wall.html.twig' => "<p>\n{{ picture$filter"]);
        $twig = new \Twig\Environment($loader, ['strict_variables' => true]);
        return $twig->render('wall.html.twig', ['picture' => $_SERVER['NAME']]);
    }
}

function told(\Throwable $error, string $family): string
{
    $moment = new \DateTimeImmutable($_SERVER['NOW']);
    $logger = new \Monolog\Logger($family === 'laravel' ? 'production' : 'request');
    $handler = new \Monolog\Handler\StreamHandler('php://output');
    $handler->setFormatter(new \Monolog\Formatter\LineFormatter(null, 'Y-m-d H:i:s', true, true));
    if ($family === 'laravel') {
        $handler->getFormatter()->includeStacktraces();
    }
    $logger->pushHandler($handler);
    $logger->pushProcessor(fn ($record) => ['datetime' => $moment] + $record);
    [$file, $line, $class] = [$error->getFile(), $error->getLine(), $error::class];
    return match ($family) {
        'laravel', 'twig' => $logger->error($error->getMessage(), ['userId' => (int) $_SERVER['ID'], 'exception' => $error]) ?? '',
        'symfony' => $logger->critical(
            sprintf('Uncaught PHP Exception %s: "%s" at %s line %s', $class, $error->getMessage(), $file, $line),
            ['exception' => $error]
        ) ?? '',
        'drupal' => sprintf("%s: %s in %s (line %d of %s).\n", $class, $error->getMessage(), 'App\Service\Wall->hang()', $line, $file),
        'wordpress' => "Howdy!\n\nError Details\n=============\nAn error of type E_ERROR was caused in line $line of the file $file."
            . " Error message: Uncaught $error\n  thrown\n",
        'mail' => "Site: {$_SERVER['HOST']}\nIP: {$_SERVER['IP']}\n\nException: {$error->getMessage()}\nClass: $class\nFile: $file:$line\n\nTrace:\n"
            . $error->getTraceAsString() . "\n",
    };
}

$which = $argv[1];
$family = explode('.', $which)[0];
// The same error in two layouts is the same error: another application for each.
ob_start(fn ($text) => preg_replace('/App(\\\\+)Service/', 'App$1' . ucfirst($family), $text));
try {
    $wall = new Wall($which);
    $family === 'twig' ? $wall->render() : $wall->hang((int) $_SERVER['ID']);
} catch (\Throwable $error) {
    echo told($error, $family);
}
